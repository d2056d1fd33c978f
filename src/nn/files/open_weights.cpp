#include <lightswitch/error.hpp>
#include <lightswitch/weights.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "nn/files/gguf_reader.hpp"
#include "nn/files/mapped_file.hpp"
#include "nn/files/pytorch_file.hpp"
#include "nn/files/safetensors.hpp"
#include "nn/files/sharded_file.hpp"

namespace lightswitch {
namespace {

constexpr std::array kNamesInFolders{"diffusion_pytorch_model.safetensors",
                                     "diffusion_pytorch_model.safetensors.index.json",
                                     "diffusion_pytorch_model.fp16.safetensors",
                                     "diffusion_pytorch_model.safetensors.index.fp16.json",
                                     "model.safetensors",
                                     "model.safetensors.index.json",
                                     "diffusion_pytorch_model.bin"};

/// Opens the file a second time to read it: a reader that owns its mapping is worth a system call.
std::string first_bytes(const std::filesystem::path& file) {
  const nn::MappedFile mapping(file);
  const auto bytes = mapping.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 16)};
}

}  // namespace

std::filesystem::path find_weight_file(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return path;
  for (const char* name : kNamesInFolders)
    if (std::filesystem::exists(path / name)) return path / name;
  throw FileError("no weights in this folder",
                  {path.string(), "", kNamesInFolders.front(), "a folder without such a file"});
}

std::shared_ptr<const WeightSource> open_weights(const std::filesystem::path& path) {
  using namespace std::string_view_literals;
  const auto file = find_weight_file(path);
  const std::string start = first_bytes(file);
  // Any other signature could be the length of a header, which is JSON.
  if (start.size() > 8 && start[8] == '{') return nn::open_safetensors(file);
  if (start.starts_with("PK\x03\x04"sv)) return nn::open_pytorch_file(file);
  if (start.starts_with("GGUF"sv)) return nn::open_gguf(file);
  if (start.starts_with("\x80"sv) && start.size() > 1 && start[1] >= 2 && start[1] <= 5)
    throw FormatError(
        "a checkpoint from before PyTorch 1.6; write it anew in Python: torch.save(torch.load(FILE, "
        "map_location=\"cpu\", weights_only=True), NEW)",
        {file.string(), "", "a zip archive by torch.save", "a Python pickle"});
  if (start.starts_with('{') && file.extension() == ".json") return nn::open_sharded_file(file);
  return nn::open_safetensors(file);
}

}  // namespace lightswitch
