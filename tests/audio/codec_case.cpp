#include "audio/codec_case.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "support/temporary_folder.hpp"

namespace lightswitch::audio::testing {
namespace {

const std::filesystem::path kTests = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests";

CodecCase load(const std::filesystem::path& file) {
  const auto all = open_weights(file);
  CodecCase read;
  read.layout = Layout::from_metadata(all->metadata(), "heavy");
  std::map<std::string, at::Tensor> weights;
  for (const TensorInfo& info : all->tensors())
    if (!info.name.starts_with("reference.")) weights[info.name] = all->read(info.name).clone();
  read.weights = weights_from_memory(weights, file.string(), all->metadata());
  const auto part = [&](const char* name) { return all->read(std::string("reference.") + name).clone(); };
  read.samples = part("samples");
  read.embeddings = part("embeddings");
  read.indices = part("indices");
  read.dequantized = part("dequantized");
  read.dequantized_2 = part("dequantized_2");
  read.decoded = part("decoded");
  return read;
}

class Maker {
 public:
  explicit Maker(uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}

  void add(const std::string& name, std::vector<int64_t> shape, int64_t outputs, double fan_in) {
    tensors_[name + ".weight"] = at::randn(shape, generator_) / std::sqrt(fan_in);
    tensors_[name + ".bias"] = at::randn({outputs}, generator_) * 0.1;
  }
  void convolution(const std::string& name, int64_t in, int64_t out, int64_t kernel, int64_t groups) {
    add(name, {out, in / groups, kernel}, out, static_cast<double>(in / groups * kernel));
  }
  void transposed(const std::string& name, int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t groups) {
    add(name, {in, out / groups, kernel}, out, static_cast<double>(in / groups * kernel) / stride);
  }
  void units(const std::string& stage, const Layout& layout, const Stage& from) {
    for (size_t i = 0; i < from.dilations.size(); ++i) {
      const std::string name = stage + "units." + std::to_string(i) + ".";
      if (layout.separable) {
        convolution(name + "depthwise", from.channels, from.channels, layout.unit_kernel, from.channels);
        convolution(name + "pointwise", from.channels, from.channels, 1, 1);
      } else {
        convolution(name + "conv", from.channels, from.channels, layout.unit_kernel, 1);
      }
      convolution(name + "mix", from.channels, from.channels, 1, from.unit_groups);
    }
  }
  std::shared_ptr<const WeightSource> done() { return weights_from_memory(std::move(tensors_)); }

 private:
  at::Generator generator_;
  std::map<std::string, at::Tensor> tensors_;
};

std::string stage_name(size_t index) {
  return "stages." + std::to_string(index) + ".";
}

}  // namespace

CodecCase stored_codec(const std::string& name) {
  return load(kTests / "fixtures" / ("soundstream_" + name + ".safetensors"));
}

std::optional<CodecCase> python_codec(const std::string& name) {
  const char* python = std::getenv("LIGHTSWITCH_REFERENCE_PYTHON");
  if (python == nullptr || *python == '\0') return std::nullopt;
  const lightswitch::testing::TemporaryFolder folder;
  const auto file = folder / "case.safetensors";
  const std::string command = "cd '" + (kTests / "support").string() + "' && '" + python +
                              "' -m reference.soundstream " + name + " --out '" + file.string() + "'";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("the Python reference failed: " + command);
  return load(file);
}

std::shared_ptr<const WeightSource> random_decoder(const Layout& layout, uint64_t seed) {
  Maker maker(seed);
  maker.convolution("first", layout.features, layout.widest, layout.widest_kernel, layout.widest_groups);
  int64_t channels = layout.widest;
  for (size_t i = 0; i < layout.stages.size(); ++i) {
    const Stage& stage = layout.stages[i];
    maker.transposed(stage_name(i) + "resample", channels, stage.channels, stage.kernel, stage.stride, stage.groups);
    maker.units(stage_name(i), layout, stage);
    channels = stage.channels;
  }
  maker.transposed("last", channels, 1, layout.sample_kernel, layout.sample_stride, 1);
  return maker.done();
}

std::shared_ptr<const WeightSource> random_encoder(const Layout& layout, uint64_t seed) {
  Maker maker(seed);
  const size_t count = layout.stages.size();
  maker.convolution("first", 1, count == 0 ? layout.widest : layout.stages.back().channels, layout.sample_kernel, 1);
  for (size_t i = 0; i < count; ++i) {
    const Stage& stage = layout.stages[count - 1 - i];
    maker.units(stage_name(i), layout, stage);
    const int64_t coarser = i + 1 < count ? layout.stages[count - 2 - i].channels : layout.widest;
    maker.convolution(stage_name(i) + "resample", stage.channels, coarser, stage.kernel, stage.groups);
  }
  maker.convolution("last", layout.widest, layout.features, layout.widest_kernel, layout.widest_groups);
  return maker.done();
}

std::shared_ptr<const WeightSource> random_codec(bool light) {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, std::string> metadata{
      {"format", "lightswitch.soundstream"}, {"version", "1"}, {"sample_rate", "16000"}};
  const auto add = [&](const std::string& part, const Layout& layout, const WeightSource& weights) {
    metadata.merge(layout.to_metadata(part));
    for (const TensorInfo& info : weights.tensors()) tensors[part + "." + info.name] = weights.read(info.name);
  };
  add("encoder", Layout::heavy(), *random_encoder(Layout::heavy()));
  add("heavy", Layout::heavy(), *random_decoder(Layout::heavy()));
  auto generator = at::detail::createCPUGenerator(4);
  tensors["quantizer.codebooks"] = at::randn({16, 256, 64}, generator);
  if (light) {
    add("light", Layout::light(), *random_decoder(Layout::light()));
    tensors["gate.conv.weight"] = at::randn({16, 64, 3}, generator) / 14;
    tensors["gate.conv.bias"] = at::randn({16}, generator) / 4;
    tensors["gate.out.weight"] = at::randn({1, 16, 1}, generator) / 4;
    tensors["gate.out.bias"] = at::zeros({1});
  }
  return weights_from_memory(std::move(tensors), "codec", std::move(metadata));
}

std::span<const float> numbers_of(const at::Tensor& tensor) {
  return {tensor.const_data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

std::vector<float> noise(int64_t count, uint64_t seed) {
  const at::Tensor drawn = at::randn({count}, at::detail::createCPUGenerator(seed));
  const auto numbers = numbers_of(drawn);
  return {numbers.begin(), numbers.end()};
}

double largest_difference(std::span<const float> found, std::span<const float> expected) {
  if (found.size() != expected.size()) return INFINITY;
  double largest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double difference = std::abs(double(found[i]) - expected[i]);
    if (!(difference <= largest)) largest = std::isnan(difference) ? INFINITY : difference;
  }
  return largest;
}

}  // namespace lightswitch::audio::testing
