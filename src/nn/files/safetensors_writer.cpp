#include <ATen/ATen.h>
#include <unistd.h>
#include <lightswitch/error.hpp>
#include <lightswitch/weights.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/atomic_file.hpp"
#include "nn/files/safetensors.hpp"
#include "nn/files/safetensors_writer.hpp"

namespace lightswitch {
namespace {

constexpr size_t kAlignment = 64;  // lets a mapped tensor be used in place, whatever its element type

const char* type_name(const std::string& name, at::ScalarType type) {
  for (const auto& [text, candidate] : nn::kSafetensorsTypes)
    if (candidate == type) return text;
  throw UnsupportedError("element type cannot be stored in safetensors", {"", name, "", c10::toString(type)});
}

}  // namespace

std::string safetensors_opening(const std::map<std::string, at::Tensor>& tensors,
                                const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const uint64_t end = offset + tensor.nbytes();
    header[name] = {{"dtype", type_name(name, tensor.scalar_type())},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append(kAlignment - (sizeof(uint64_t) + text.size()) % kAlignment, ' ');
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text;
}

void save_safetensors(const std::filesystem::path& file, const std::map<std::string, at::Tensor>& tensors,
                      const std::map<std::string, std::string>& metadata) {
  const std::string opening = safetensors_opening(tensors, metadata);
  write_stream_atomically(file, [&](std::ostream& out) {
    out.write(opening.data(), static_cast<std::streamsize>(opening.size()));
    for (const auto& [name, tensor] : tensors) {
      const at::Tensor plain = tensor.cpu().contiguous();
      out.write(static_cast<const char*>(plain.const_data_ptr()), static_cast<std::streamsize>(plain.nbytes()));
    }
  });
}

}  // namespace lightswitch
