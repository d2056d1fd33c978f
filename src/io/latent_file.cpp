#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/latent_file.hpp>
#include <lightswitch/weights.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/atomic_file.hpp"
#include "core/describe.hpp"
#include "nn/files/safetensors_writer.hpp"

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

Metadata metadata_of(const LatentFile& content) {
  Metadata metadata = {{"format", kFormat}, {"version", kVersion}, {"kind", to_string(content.kind)}};
  const auto put = [&](const char* key, const std::string& value) {
    if (!value.empty()) metadata[key] = value;
  };
  put("space", content.space);
  put("prompt", content.prompt);
  put("model", content.model);
  if (content.scaling_factor) metadata["scaling_factor"] = print(*content.scaling_factor);
  if (content.shift_factor) metadata["shift_factor"] = print(*content.shift_factor);
  if (content.fps) metadata["fps"] = print(*content.fps);
  if (content.width) metadata["width"] = std::to_string(*content.width);
  if (content.height) metadata["height"] = std::to_string(*content.height);
  if (content.seed) metadata["seed"] = std::to_string(*content.seed);
  return metadata;
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
                        std::optional<double> assume_scaling_factor, bool in_place) {
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
  content.fps = number<double>(metadata, "fps", file.string());
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
  content.latents = in_place ? source->read(name) : source->read(name).clone();
  check_shape(content, file.string());
  return content;
}

void require_same_space(const LatentFile& latents, const std::string& file, const LatentSpec& spec) {
  if (!latents.space.empty() && !spec.space.empty() && latents.space != spec.space)
    throw TensorError(
        "the latents belong to another space; add ,space=" + latents.space + " to the decoder to decode them anyway",
        {file, "space", spec.space, latents.space});
  const bool converts = latents.kind == LatentKind::diffusion && spec.network_input == LatentKind::raw;
  if (converts && latents.scaling_factor &&
      std::abs(*latents.scaling_factor - spec.scaling_factor) > 1e-6 * spec.scaling_factor)
    throw TensorError(
        "the latents were scaled otherwise than the decoder expects; add ,scaling-factor=… to the decoder",
        {file, "scaling_factor", std::to_string(spec.scaling_factor), std::to_string(*latents.scaling_factor)});
}

at::Tensor without_padding(const at::Tensor& pictures, const LatentFile& latents) {
  const int64_t height = std::min(latents.height.value_or(pictures.size(-2)), pictures.size(-2));
  const int64_t width = std::min(latents.width.value_or(pictures.size(-1)), pictures.size(-1));
  return pictures.narrow(-2, 0, height).narrow(-1, 0, width);
}

void write_latents(const std::filesystem::path& file, const LatentFile& content) {
  check_shape(content, file.string());
  save_safetensors(file, {{content.kind == LatentKind::indices ? "indices" : "latents", content.latents}},
                   metadata_of(content));
}

struct LatentClipWriter::File {
  explicit File(const std::filesystem::path& target)
      : pending(target), stream(pending.temporary(), std::ios::binary | std::ios::trunc) {}
  void check() const {
    if (!stream) throw FileError("cannot write", {pending.target().string(), "", "", std::strerror(errno)});
  }

  PendingFile pending;
  std::ofstream stream;
  std::streamoff numbers = 0;  ///< where they begin
};

LatentClipWriter::LatentClipWriter(const std::filesystem::path& file, const LatentFile& facts,
                                   std::vector<int64_t> shape)
    : file_(std::make_unique<File>(file)), shape_(std::move(shape)) {
  const auto whole = at::empty({1, shape_.at(0), shape_.at(1), shape_.at(2), shape_.at(3)},
                               at::TensorOptions(at::kMeta).dtype(at::kFloat));
  const std::string opening = safetensors_opening({{"latents", whole}}, metadata_of(facts));
  file_->stream.write(opening.data(), static_cast<std::streamsize>(opening.size()));
  file_->numbers = static_cast<std::streamoff>(opening.size());
  file_->check();
}

LatentClipWriter::~LatentClipWriter() = default;

void LatentClipWriter::write(const at::Tensor& latents) {
  const bool fits = latents.defined() && latents.dim() == 4 && latents.size(0) == shape_[0] &&
                    latents.size(2) == shape_[2] && latents.size(3) == shape_[3] &&
                    written_ + latents.size(1) <= shape_[1];
  if (!fits)
    throw TensorError("not the next latents of this clip",
                      {file_->pending.target().string(), "latents", c10::str("the rest of ", at::IntArrayRef(shape_)),
                       describe(latents)});
  const at::Tensor plain = latents.to(at::kCPU, at::kFloat).contiguous();
  const int64_t plane = shape_[2] * shape_[3] * static_cast<int64_t>(sizeof(float)), piece = plain.size(1) * plane;
  for (int64_t channel = 0; channel < shape_[0]; ++channel) {  // of one channel all frames lie together
    file_->stream.seekp(file_->numbers + (channel * shape_[1] + written_) * plane);
    file_->stream.write(static_cast<const char*>(plain.const_data_ptr()) + channel * piece, piece);
  }
  file_->check();
  written_ += plain.size(1);
}

void LatentClipWriter::finish() {
  if (written_ != shape_[1])
    throw TensorError("the clip is not complete", {file_->pending.target().string(), "latents",
                                                   std::to_string(shape_[1]), std::to_string(written_)});
  file_->stream.close();
  file_->check();
  file_->pending.rename_to(file_->pending.target());
}

}  // namespace lightswitch
