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

}  // namespace

std::shared_ptr<const WeightSource> random_kl(const std::vector<int64_t>& widths, int64_t channels) {
  Builder build;
  int64_t width = widths.back();
  build.conv("post_quant_conv", channels, channels, 1);
  build.conv("decoder.conv_in", channels, width, 3);
  kl_resnet(build, "decoder.mid_block.resnets.0", width, width);
  build.norm("decoder.mid_block.attentions.0.group_norm", width);
  for (const char* part : {"to_q", "to_k", "to_v", "to_out.0"})
    build.linear(std::string("decoder.mid_block.attentions.0.") + part, width);
  kl_resnet(build, "decoder.mid_block.resnets.1", width, width);
  for (size_t i = 0; i < widths.size(); ++i) {
    const std::string block = "decoder.up_blocks." + std::to_string(i);
    const int64_t out = widths[widths.size() - 1 - i];
    for (int j = 0; j < 3; ++j) kl_resnet(build, block + ".resnets." + std::to_string(j), j == 0 ? width : out, out);
    if (i + 1 < widths.size()) build.conv(block + ".upsamplers.0.conv", out, out, 3);
    width = out;
  }
  build.norm("decoder.conv_norm_out", width);
  build.conv("decoder.conv_out", width, 3, 3);
  return build.finish();
}

std::shared_ptr<const WeightSource> random_taming(int64_t width, int64_t channels) {
  Builder build;
  int index = 0;
  const auto name = [&index] { return "decoder.layers." + std::to_string(index++); };
  build.conv(name(), channels, width, 3);
  ++index;  // ReLU
  for (const int blocks : {3, 3, 3, 1}) {
    for (int block = 0; block < blocks; ++block) {
      const std::string prefix = name() + ".conv.";
      for (const char* conv : {"0", "2", "4"}) build.conv(prefix + conv, width, width, 3);
    }
    if (blocks == 1) break;
    ++index;  // upsampling
    build.conv(name(), width, width, 3, false);
  }
  build.conv(name(), width, 3, 3);
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

}  // namespace lightswitch::bench
