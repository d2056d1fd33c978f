#include <ATen/ATen.h>
#include <lightswitch/audio/layout.hpp>
#include <lightswitch/audio/lyra.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>

#include "audio/lyra/tflite_file.hpp"

namespace lightswitch::audio {
namespace {

constexpr int32_t kConvolution = 3, kDepthwise = 4, kTransposed = 67;
constexpr int64_t kStages = 46, kEntries = 16;

/// The convolutions of a graph in the order they are computed in, which is that of the network.
class LayerReader {
 public:
  explicit LayerReader(const TfliteFile& file) : file_(file), graph_(file.graph("main")) {
    for (const TfliteOperator& op : graph_.operators)
      if (op.code == kConvolution || op.code == kDepthwise || op.code == kTransposed) layers_.push_back(&op);
  }

  void convolution(const std::string& name) {
    const auto [weight, bias] = next(kConvolution, name);
    add(name, weight.permute({0, 3, 1, 2}).squeeze(3), bias);  // [O, K, 1, I] to [O, I, K]
  }

  void depthwise(const std::string& name) {
    const auto [weight, bias] = next(kDepthwise, name);
    add(name, weight.permute({3, 0, 1, 2}).squeeze(3), bias);  // [1, K, 1, C] to [C, 1, K]
  }

  void transposed(const std::string& name, int64_t groups) {
    std::vector<at::Tensor> weights, biases;
    for (int64_t g = 0; g < groups; ++g) {
      const auto [weight, bias] = next(kTransposed, name);
      weights.push_back(weight.permute({3, 0, 1, 2}).squeeze(3));  // [O, K, 1, I] to [I, O, K]
      biases.push_back(bias);
    }
    for (const at::Tensor& weight : weights)
      if (weight.sizes() != weights[0].sizes())
        refuse(name, "groups of one shape", c10::str(weights[0].sizes(), " and ", weight.sizes()));
    add(name, at::cat(weights), at::cat(biases));
  }

  void units(const std::string& stage, const Stage& layout) {
    for (size_t i = 0; i < layout.dilations.size(); ++i) {
      const std::string name = stage + "units." + std::to_string(i) + ".";
      depthwise(name + "depthwise");
      convolution(name + "pointwise");
      convolution(name + "mix");
    }
  }

  std::map<std::string, at::Tensor> finish() {
    if (next_ != layers_.size())
      refuse("operators", std::to_string(next_) + " convolutions", std::to_string(layers_.size()));
    return std::move(tensors_);
  }

 private:
  [[noreturn]] void refuse(const std::string& field, const std::string& expected, const std::string& found) const {
    throw FormatError("not a network of Lyra V2", {file_.origin(), field, expected, found});
  }

  std::pair<at::Tensor, at::Tensor> next(int32_t code, const std::string& name) {
    if (next_ == layers_.size()) refuse(name, "another convolution", "the end of the graph");
    const TfliteOperator& op = *layers_[next_++];
    // Inputs are x, weight, bias; of a transposed convolution shape, weight, x, bias.
    const size_t bias = code == kTransposed ? 3 : 2;
    if (op.code != code || op.inputs.size() <= bias)
      refuse(name, "operator " + std::to_string(code),
             "operator " + std::to_string(op.code) + " with " + std::to_string(op.inputs.size()) + " inputs");
    at::Tensor weight = constant(op.inputs[1], name), offset = constant(op.inputs[bias], name);
    if (weight.dim() != 4 || weight.size(2) != 1 || offset.dim() != 1)
      refuse(name, "a weight [.., .., 1, ..] and a bias", c10::str(weight.sizes(), " and ", offset.sizes()));
    return {weight, offset};
  }

  at::Tensor constant(int32_t index, const std::string& name) const {
    if (index < 0) refuse(name, "a constant", "none");
    return file_.values(graph_.tensors[index]);
  }

  void add(const std::string& name, const at::Tensor& weight, const at::Tensor& bias) {
    tensors_[name + ".weight"] = weight.contiguous();
    tensors_[name + ".bias"] = bias.contiguous();
  }

  const TfliteFile& file_;
  const TfliteGraph& graph_;
  std::vector<const TfliteOperator*> layers_;
  size_t next_ = 0;
  std::map<std::string, at::Tensor> tensors_;
};

std::map<std::string, at::Tensor> read_decoder(const TfliteFile& file, const Layout& layout) {
  LayerReader reader(file);
  reader.convolution("first");
  for (size_t i = 0; i < layout.stages.size(); ++i) {
    const std::string name = "stages." + std::to_string(i) + ".";
    reader.transposed(name + "resample", layout.stages[i].groups);
    reader.units(name, layout.stages[i]);
  }
  reader.transposed("last", 1);
  return reader.finish();
}

std::map<std::string, at::Tensor> read_encoder(const TfliteFile& file, const Layout& layout) {
  LayerReader reader(file);
  reader.convolution("first");
  for (size_t i = 0; i < layout.stages.size(); ++i) {
    const std::string name = "stages." + std::to_string(i) + ".";
    reader.units(name, layout.stages[layout.stages.size() - 1 - i]);
    reader.convolution(name + "resample");
  }
  reader.convolution("last");
  return reader.finish();
}

/// Stage i's entries are the constant "transpose_i" of the graph that decodes, "transpose" for the first.
at::Tensor read_codebooks(const TfliteFile& file, int64_t features) {
  const TfliteGraph& graph = file.graph("decode");
  std::vector<at::Tensor> books;
  for (int64_t stage = 0; stage < kStages; ++stage) {
    const std::string name = stage == 0 ? "transpose" : "transpose_" + std::to_string(stage);
    const auto found = std::ranges::find(graph.tensors, name, &TfliteTensor::name);
    if (found == graph.tensors.end() || found->shape != std::vector<int64_t>{kEntries, features})
      throw FormatError("not a quantizer of Lyra V2",
                        {file.origin(), name, c10::str("[", kEntries, ", ", features, "]"),
                         found == graph.tensors.end() ? "no such tensor" : c10::str(found->shape)});
    books.push_back(file.values(*found));
  }
  return at::stack(books);
}

}  // namespace

std::shared_ptr<const WeightSource> open_lyra(const std::filesystem::path& folder) {
  const Layout layout = Layout::heavy();
  std::map<std::string, at::Tensor> tensors;
  const auto add = [&](const char* part, std::map<std::string, at::Tensor> network) {
    for (auto& [name, tensor] : network) tensors[std::string(part) + "." + name] = std::move(tensor);
  };
  add("encoder", read_encoder(TfliteFile(folder / "soundstream_encoder.tflite"), layout));
  add("heavy", read_decoder(TfliteFile(folder / "lyragan.tflite"), layout));
  tensors["quantizer.codebooks"] = read_codebooks(TfliteFile(folder / "quantizer.tflite"), layout.features);
  auto metadata = layout.to_metadata("encoder");
  metadata.merge(layout.to_metadata("heavy"));
  metadata["format"] = "lightswitch.soundstream";
  metadata["version"] = "1";
  metadata["sample_rate"] = "16000";
  return weights_from_memory(std::move(tensors), folder.string(), std::move(metadata));
}

}  // namespace lightswitch::audio
