#include "harness/random_weights.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <string>

namespace lightswitch::bench {
namespace {

class Builder {
 public:
  void conv(const std::string& name, int64_t in, int64_t out, int64_t kernel, bool bias = true) {
    tensors_[name + ".weight"] =
        at::randn({out, in, kernel, kernel}) / std::sqrt(static_cast<double>(in * kernel * kernel));
    if (bias) tensors_[name + ".bias"] = at::zeros({out});
  }
  /// Along time alone.
  void time_conv(const std::string& name, int64_t width) {
    tensors_[name + ".weight"] = at::randn({width, width, 3, 1, 1}) / std::sqrt(static_cast<double>(3 * width));
    tensors_[name + ".bias"] = at::zeros({width});
  }
  void number(const std::string& name, double value) { tensors_[name] = at::full({1}, value); }
  void linear(const std::string& name, int64_t width) {
    tensors_[name + ".weight"] = at::randn({width, width}) / std::sqrt(static_cast<double>(width));
    tensors_[name + ".bias"] = at::zeros({width});
  }
  void norm(const std::string& name, int64_t channels) {
    tensors_[name + ".weight"] = at::ones({channels});
    tensors_[name + ".bias"] = at::zeros({channels});
  }
  void batch_norm(const std::string& name, int64_t channels) {
    norm(name, channels);
    tensors_[name + ".running_mean"] = at::zeros({channels});
    tensors_[name + ".running_var"] = at::ones({channels});
    tensors_[name + ".num_batches_tracked"] = at::zeros({}, at::kLong);
  }
  std::shared_ptr<const WeightSource> finish() { return weights_from_memory(std::move(tensors_), "random weights"); }

 private:
  std::map<std::string, at::Tensor> tensors_;
};

void kl_resnet(Builder& build, const std::string& name, int64_t in, int64_t out) {
  build.norm(name + ".norm1", in);
  build.conv(name + ".conv1", in, out, 3);
  build.norm(name + ".norm2", out);
  build.conv(name + ".conv2", out, out, 3);
  if (in != out) build.conv(name + ".conv_shortcut", in, out, 1);
}

void spatio_temporal_resnet(Builder& build, const std::string& name, int64_t in, int64_t out) {
  kl_resnet(build, name + ".spatial_res_block", in, out);
  for (const char* layer : {"1", "2"}) {
    build.norm(name + ".temporal_res_block.norm" + layer, out);
    build.time_conv(name + ".temporal_res_block.conv" + layer, out);
  }
  build.number(name + ".time_mixer.mix_factor", 0.5);
}

using Resnet = void (*)(Builder&, const std::string&, int64_t, int64_t);

void middle(Builder& build, const std::string& name, int64_t width, Resnet resnet) {
  resnet(build, name + ".resnets.0", width, width);
  build.norm(name + ".attentions.0.group_norm", width);
  for (const char* part : {"to_q", "to_k", "to_v", "to_out.0"}) build.linear(name + ".attentions.0." + part, width);
  resnet(build, name + ".resnets.1", width, width);
}

void kl_decoder(Builder& build, const std::vector<int64_t>& widths, int64_t channels, Resnet resnet) {
  int64_t width = widths.back();
  build.conv("decoder.conv_in", channels, width, 3);
  middle(build, "decoder.mid_block", width, resnet);
  for (size_t i = 0; i < widths.size(); ++i) {
    const std::string block = "decoder.up_blocks." + std::to_string(i);
    const int64_t out = widths[widths.size() - 1 - i];
    for (int j = 0; j < 3; ++j) resnet(build, block + ".resnets." + std::to_string(j), j == 0 ? width : out, out);
    if (i + 1 < widths.size()) build.conv(block + ".upsamplers.0.conv", out, out, 3);
    width = out;
  }
  build.norm("decoder.conv_norm_out", width);
  build.conv("decoder.conv_out", width, 3, 3);
}

/// Numbered layers of a tiny decoder from the first convolution to the last.
/// @param seen how many frames the first convolution of a block sees.
void tiny_decoder(Builder& build, const std::string& prefix, int first, int64_t width, int64_t channels, int64_t seen,
                  const std::vector<int>& stages) {
  int index = first;
  const auto name = [&] { return prefix + std::to_string(index++); };
  build.conv(name(), channels, width, 3);
  ++index;  // ReLU
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    for (int block = 0; block < stages[stage]; ++block) {
      const std::string conv = name() + ".conv.";
      build.conv(conv + "0", seen * width, width, 3);
      for (const char* other : {"2", "4"}) build.conv(conv + other, width, width, 3);
    }
    if (stage + 1 == stages.size()) break;
    ++index;  // upsampling
    build.conv(name(), width, width, 3, false);
  }
  build.conv(name(), width, 3, 3);
}

}  // namespace

std::shared_ptr<const WeightSource> random_kl(const std::vector<int64_t>& widths, int64_t channels) {
  Builder build;
  build.conv("post_quant_conv", channels, channels, 1);
  kl_decoder(build, widths, channels, kl_resnet);
  return build.finish();
}

std::shared_ptr<const WeightSource> random_svd() {
  Builder build;
  kl_decoder(build, {128, 256, 512, 512}, 4, spatio_temporal_resnet);
  build.time_conv("decoder.time_conv_out", 3);
  return build.finish();
}

std::shared_ptr<const WeightSource> random_taming(int64_t width, int64_t channels) {
  Builder build;
  tiny_decoder(build, "decoder.layers.", 0, width, channels, 1, {3, 3, 3, 1});
  return build.finish();
}

std::shared_ptr<const WeightSource> random_taesdv(int64_t width) {
  Builder build;
  tiny_decoder(build, "decoder.", 1, width, 4, 2, {3, 3, 3, 1});
  return build.finish();
}

std::shared_ptr<const WeightSource> random_tiny_temporal(int64_t width) {
  Builder build;
  tiny_decoder(build, "layers.", 0, width, 4, 1, {3, 2, 2, 1});
  middle(build, "mid_block", width, spatio_temporal_resnet);
  return build.finish();
}

std::shared_ptr<const WeightSource> random_vit_of_the_paper() {
  Builder build;
  build.conv("project_in.main.conv", 4, 256, 3);
  const auto stage = [&build](int number, int64_t in, int blocks) {
    const std::string prefix = "stages." + std::to_string(number) + ".op_list.";
    build.conv(prefix + "0.main.conv.conv", in, 512, 3);
    for (int block = 1; block <= blocks; ++block) {
      const std::string main = prefix + std::to_string(block) + ".main.";
      build.conv(main + "conv1.conv", 128, 128, 3);
      build.conv(main + "conv2.conv", 128, 128, 3, false);
      build.batch_norm(main + "conv2.norm", 128);
    }
  };
  stage(2, 256, 10);
  stage(1, 128, 5);
  build.norm("project_out.op_list.0", 128);
  build.conv("project_out.op_list.2.conv.conv", 128, 12, 3);
  return build.finish();
}

std::shared_ptr<const WeightSource> random_routed(int64_t width, int64_t blocks, const std::vector<int64_t>& heavy,
                                                  int64_t gate) {
  Builder build;
  build.conv("trunk.first", 4, width, 3);
  for (int64_t i = 0; i < blocks; ++i)
    for (const char* layer : {".conv1", ".conv2"})
      build.conv("trunk.blocks." + std::to_string(i) + layer, width, width, 3);
  build.conv("light.conv", width, width, 3);
  build.conv("light.out", width, int64_t{3} << 2 * heavy.size(), 1);
  build.conv("heavy.enter", width, 2 * width, 1);
  int64_t inputs = 2 * width;
  for (size_t i = 0; i < heavy.size(); ++i) {
    const std::string stage = "heavy.stages." + std::to_string(i);
    build.conv("heavy.ups." + std::to_string(i), inputs, 4 * heavy[i], 1);
    build.conv(stage + ".conv", heavy[i], heavy[i], 3);
    build.conv(stage + ".widen", heavy[i], 2 * heavy[i], 1);
    build.conv(stage + ".narrow", 2 * heavy[i], heavy[i], 1);
    inputs = heavy[i];
  }
  build.conv("heavy.out", inputs, 3, 3);
  build.conv("gate.conv", width, gate, 1);
  build.conv("gate.out", gate, 1, 1);
  return build.finish();
}

}  // namespace lightswitch::bench
