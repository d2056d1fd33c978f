#include "cli/small_package.hpp"

#include <torch/script.h>
#include <lightswitch/weights.hpp>

#include <nlohmann/json.hpp>

#include "core/sha256.hpp"
#include "support/files.hpp"
#include "support/tensors.hpp"

namespace lightswitch::testing {
namespace {

constexpr int64_t kWidth = 8, kLatentChannels = 4;

/// Adds layers under diffusers' names with numbers that keep the signal's size.
class LayerWriter {
 public:
  LayerWriter(std::map<std::string, at::Tensor>& tensors, uint64_t seed) : tensors_(tensors), seed_(seed) {}

  void conv(const std::string& name, int64_t out, int64_t in, bool bias) {
    tensors_[name + ".weight"] = random_tensor({out, in, 3, 3}, seed_++) / std::sqrt(9.0 * static_cast<double>(in));
    if (bias) tensors_[name + ".bias"] = random_tensor({out}, seed_++) * 0.1;
  }
  void block(const std::string& name) {
    for (const char* layer : {".conv.0", ".conv.2", ".conv.4"}) conv(name + layer, kWidth, kWidth, true);
  }

 private:
  std::map<std::string, at::Tensor>& tensors_;
  uint64_t seed_;
};

void save_module(const std::filesystem::path& file, const std::string& source) {
  torch::jit::Module module("Part");
  module.define(source);
  module.save(file.string());
}

void write_networks(const std::filesystem::path& folder, bool slow) {
  save_safetensors(folder / "tae.safetensors", tiny_autoencoder(1));
  save_safetensors(folder / "other.safetensors", tiny_autoencoder(1000));
  save_module(folder / "text_encoder.pt", R"(
def forward(self, ids: Tensor):
    return (ids.float() * 0.01).sin().unsqueeze(-1).expand(-1, -1, 4)
)");
  // The product has to reach the output: TorchScript drops work that nobody reads.
  const std::string work =
      slow ? "    for i in range(40):\n        sample = sample + torch.mm(busy, busy)[0, 0]\n" : "";
  save_module(folder / "denoiser.pt", R"(
def forward(self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor):
    busy = torch.zeros(512, 512)
)" + work + R"(    return sample * 0.5 + encoder_hidden_states.mean(dim=[1, 2]).view(-1, 1, 1, 1)
)");
}

}  // namespace

std::map<std::string, at::Tensor> tiny_autoencoder(uint64_t seed) {
  std::map<std::string, at::Tensor> tensors;
  LayerWriter layers(tensors, seed);
  const std::string decoder = "decoder.layers.", encoder = "encoder.layers.";
  layers.conv(decoder + "0", kWidth, kLatentChannels, true);
  for (const char* block : {"2", "5", "8", "11"}) layers.block(decoder + block);
  for (const char* resample : {"4", "7", "10"}) layers.conv(decoder + resample, kWidth, kWidth, false);
  layers.conv(decoder + "12", 3, kWidth, true);
  layers.conv(encoder + "0", kWidth, 3, true);
  for (const char* block : {"1", "3", "5", "7"}) layers.block(encoder + block);
  for (const char* resample : {"2", "4", "6"}) layers.conv(encoder + resample, kWidth, kWidth, false);
  layers.conv(encoder + "8", kLatentChannels, kWidth, true);
  return tensors;
}

void write_small_package(const std::filesystem::path& folder, bool slow) {
  write_networks(folder, slow);
  std::filesystem::create_directories(folder / "schedulers");
  std::filesystem::create_directories(folder / "tokenizer");
  const std::filesystem::path schedulers = std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests/data/schedulers";
  nlohmann::ordered_json scheduler_parts;
  for (const std::string name : {"euler", "euler_a", "dpm++2m"}) {
    std::filesystem::copy_file(schedulers / (name + ".pt"), folder / "schedulers" / (name + ".pt"));
    scheduler_parts[name] = {{"file", "schedulers/" + name + ".pt"}};
  }
  write_file(folder / "tokenizer" / "merges.txt", "#version: 0.2\nr e\nh o\n");

  const auto network = [](const std::string& file) {
    return nlohmann::ordered_json{{"file", file}, {"family", "taming"}, {"space", "small"}};
  };
  nlohmann::ordered_json model{{"format", "lightswitch.model"},
                               {"version", 1},
                               {"name", "small"},
                               {"kind", "text-to-image"},
                               {"licence", "Apache-2.0"},
                               {"trained_on", "nothing: random numbers"}};
  model["latent_spaces"]["small"] = {
      {"channels", kLatentChannels}, {"factor", 8}, {"scaling_factor", 1.5}, {"shift_factor", 0.25}};
  model["parts"] = {
      {"tokenizer", {{"folder", "tokenizer/merges.txt"}, {"type", "clip_bpe"}, {"max_length", 8}}},
      {"text_encoder", {{"file", "text_encoder.pt"}, {"outputs", {"encoder_hidden_states"}}}},
      {"denoiser",
       {{"file", "denoiser.pt"}, {"inputs", {"sample", "timestep", "encoder_hidden_states"}}, {"space", "small"}}},
      {"schedulers", scheduler_parts},
      {"decoders", {{"tae", network("tae.safetensors")}, {"other", network("other.safetensors")}}},
      {"encoders", {{"tae", network("tae.safetensors")}}}};
  model["defaults"] = {
      {"width", 32},      {"height", 32},    {"steps", 4}, {"cfg_scale", 2.0}, {"sampling_method", "euler"},
      {"decoder", "tae"}, {"encoder", "tae"}};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    model["files"][entry.path().lexically_relative(folder).generic_string()] = {{"bytes", entry.file_size()},
                                                                                {"sha256", sha256_file(entry.path())}};
  }
  write_file(folder / "model.json", model.dump(2));
}

}  // namespace lightswitch::testing
