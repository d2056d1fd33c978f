#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/weights.hpp>

#include <cmath>
#include <cstdlib>
#include <sstream>

namespace lightswitch {
namespace {

constexpr const char* kFormat = "lightswitch.latents";
constexpr const char* kVersion = "1";

using Metadata = std::map<std::string, std::string>;

std::string text_or_empty(const Metadata& metadata, const std::string& key) {
  const auto entry = metadata.find(key);
  return entry == metadata.end() ? "" : entry->second;
}

template <typename Number>
std::optional<Number> number(const Metadata& metadata, const std::string& key, const std::string& file) {
  const std::string text = text_or_empty(metadata, key);
  if (text.empty()) return {};
  std::istringstream stream(text);
  Number value{};
  if (!(stream >> value) || !stream.eof() || !std::isfinite(static_cast<double>(value)))
    throw FormatError("unusable metadata", {file, key, "a number", text});
  return value;
}

std::string print(double value) {
  std::ostringstream stream;
  stream.precision(17);
  stream << value;
  return stream.str();
}

void check_shape(const LatentFile& content, const std::string& file) {
  const bool indices = content.kind == LatentKind::indices;
  const bool fits =
      indices ? content.latents.dim() == 3 && content.latents.scalar_type() == at::kLong
              : (content.latents.dim() == 4 || content.latents.dim() == 5) && content.latents.is_floating_point();
  if (!fits || content.latents.numel() == 0)
    throw TensorError("unusable latents",
                      {file, indices ? "indices" : "latents",
                       indices ? "[N, h, w] int64" : "[N, C, h, w] or [N, C, T, h, w] floating point",
                       c10::str(content.latents.sizes(), " ", content.latents.scalar_type())});
}

}  // namespace

LatentFile read_latents(const std::filesystem::path& file, std::optional<LatentKind> assume_kind,
                        std::optional<double> assume_scaling_factor) {
  const auto source = open_weights(file);
  const Metadata& metadata = source->metadata();
  LatentFile content;
  const std::string format = text_or_empty(metadata, "format");
  if (format == kFormat) {
    if (text_or_empty(metadata, "version") != kVersion)
      throw FormatError("another version of the latent format",
                        {file.string(), "version", kVersion, text_or_empty(metadata, "version")});
    const auto kind = parse_latent_kind(text_or_empty(metadata, "kind"));
    if (!kind)
      throw FormatError("unusable metadata",
                        {file.string(), "kind", "raw, diffusion or indices", text_or_empty(metadata, "kind")});
    content.kind = *kind;
    content.scaling_factor = number<double>(metadata, "scaling_factor", file.string());
    content.shift_factor = number<double>(metadata, "shift_factor", file.string());
  } else {
    if (!assume_kind || !assume_scaling_factor)
      throw FormatError("not marked as a latent file: say what it holds with --kind and --scaling-factor",
                        {file.string(), "format", kFormat, format.empty() ? "no such metadata" : format});
    content.kind = *assume_kind;
    content.scaling_factor = *assume_scaling_factor;
  }
  content.space = text_or_empty(metadata, "space");
  content.width = number<int64_t>(metadata, "width", file.string());
  content.height = number<int64_t>(metadata, "height", file.string());
  content.seed = number<int64_t>(metadata, "seed", file.string());
  content.prompt = text_or_empty(metadata, "prompt");
  content.model = text_or_empty(metadata, "model");

  const std::string name = content.kind == LatentKind::indices ? "indices" : "latents";
  if (!source->find(name)) {
    std::string found;
    for (const TensorInfo& tensor : source->tensors()) found += (found.empty() ? "" : ", ") + tensor.name;
    throw FormatError("a tensor is missing", {file.string(), name, "a tensor of that name", found.substr(0, 200)});
  }
  // The file may change or go away while the latents are in use: own them.
  content.latents = source->read(name).clone();
  check_shape(content, file.string());
  return content;
}

void write_latents(const std::filesystem::path& file, const LatentFile& content) {
  check_shape(content, file.string());
  Metadata metadata = {{"format", kFormat}, {"version", kVersion}, {"kind", to_string(content.kind)}};
  const auto put = [&](const char* key, const std::string& value) {
    if (!value.empty()) metadata[key] = value;
  };
  put("space", content.space);
  put("prompt", content.prompt);
  put("model", content.model);
  if (content.scaling_factor) metadata["scaling_factor"] = print(*content.scaling_factor);
  if (content.shift_factor) metadata["shift_factor"] = print(*content.shift_factor);
  if (content.width) metadata["width"] = std::to_string(*content.width);
  if (content.height) metadata["height"] = std::to_string(*content.height);
  if (content.seed) metadata["seed"] = std::to_string(*content.seed);
  save_safetensors(file, {{content.kind == LatentKind::indices ? "indices" : "latents", content.latents}}, metadata);
}

}  // namespace lightswitch
