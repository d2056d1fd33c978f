#include "support/reference_file.hpp"

#include <lightswitch/weights.hpp>

#include <map>
#include <string>

#include "support/files.hpp"
#include "support/weights.hpp"

namespace lightswitch::testing {

ReferenceCase load_reference_case(const std::filesystem::path& file) {
  const auto stored = open_weights(file);
  const std::string mark = "reference.";
  std::map<std::string, at::Tensor> weights;
  for (const TensorInfo& info : stored->tensors())
    if (!info.name.starts_with(mark)) weights[info.name] = stored->read(info.name);
  const auto side = [&](const std::string& name) {
    return stored->find(mark + name) == nullptr ? at::Tensor() : stored->read(mark + name);
  };
  ReferenceCase result;
  result.request.weights = weights_from_memory(std::move(weights), file.string());
  result.request.config = stored->metadata();
  result.request.dtype = DType::fp32;
  result.decoder_input = side("decoder.input");
  result.decoder_output = side("decoder.output");
  result.encoder_input = side("encoder.input");
  result.encoder_output = side("encoder.output");
  result.frames_input = side("frames.input");
  result.frames_output = side("frames.output");
  return result;
}

ReferenceCase write_stored_network(const std::filesystem::path& folder, const std::string& name) {
  const auto fixtures = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests" / "fixtures";
  ReferenceCase stored = load_reference_case(fixtures / (name + ".safetensors"));
  save_safetensors(folder / "model.safetensors", tensors_of(*stored.request.weights));
  std::string config;
  for (const auto& [key, value] : stored.request.config)
    config += (config.empty() ? "" : ", ") + ('"' + key + "\": \"" + value + '"');
  write_file(folder / "config.json", "{" + config + "}");
  return stored;
}

}  // namespace lightswitch::testing
