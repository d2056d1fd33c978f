#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/weights.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>

#include "nn/files/file_signature.hpp"
#include "nn/files/mapped_weights.hpp"
#include "nn/files/safetensors.hpp"
#include "nn/files/strict_json.hpp"

namespace lightswitch::nn {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors holds little-endian numbers");

constexpr size_t kLengthBytes = 8;
constexpr int kDeepestNesting = 4;

using Bytes = std::span<const std::byte>;

/// Splits a file into header and tensor data, and reads the header; every refusal names the file and the tensor.
class HeaderReader {
 public:
  HeaderReader(std::string origin, Bytes file) : origin_(std::move(origin)), file_(file) {}

  MappedContent read() {
    const std::string_view text = header_text();
    data_ = file_.subspan(kLengthBytes + text.size());
    const nlohmann::json header = parse_strict_json(text, kDeepestNesting, origin_);
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__")
        read_metadata(entry);
      else
        read_entry(name, entry);
    }
    check_layout();
    return std::move(content_);
  }

 private:
  [[noreturn]] void refuse(const std::string& message, const std::string& field = "", const std::string& expected = "",
                           const std::string& found = "") const {
    throw FormatError(message, {origin_, field, expected, found});
  }

  std::string_view header_text() const {
    const std::string_view all(reinterpret_cast<const char*>(file_.data()), file_.size());
    const auto refuse_file = [&](const std::string& expected, const std::string& found) {
      if (const char* kind = describe_signature(all)) refuse("not a safetensors file", "", "safetensors", kind);
      refuse("not a sound safetensors file", "", expected, found);
    };
    if (file_.empty()) refuse("not a safetensors file", "", "safetensors", "an empty file");
    if (file_.size() < kLengthBytes)
      refuse_file("at least 8 bytes", std::to_string(file_.size()) + " bytes (truncated)");
    uint64_t length = 0;
    std::memcpy(&length, file_.data(), kLengthBytes);
    const uint64_t room = file_.size() - kLengthBytes;
    if (length > room)
      refuse_file("a header of at most " + std::to_string(room) + " bytes (what follows in the file)",
                  "a header length of " + std::to_string(length) + " (truncated, or another format)");
    const std::string_view text = all.substr(kLengthBytes, length);
    if (text.empty() || text.front() != '{') refuse_file("a JSON object after the header length", "something else");
    return text;
  }

  void read_metadata(const nlohmann::json& entry) {
    if (!entry.is_object()) refuse("malformed", "__metadata__", "an object of texts", entry.type_name());
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) refuse("malformed", "__metadata__." + key, "a text", value.type_name());
      content_.metadata[key] = value.get<std::string>();
    }
  }

  void read_entry(const std::string& name, const nlohmann::json& entry) {
    if (!entry.is_object()) refuse("malformed", name, "an object", entry.type_name());
    TensorInfo info{name, element_type(name, member(name, entry, "dtype")), {}};
    read_shape(info, member(name, entry, "shape"));
    const uint64_t bytes = bytes_of(info, origin_);
    const nlohmann::json& offsets = member(name, entry, "data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned())
      refuse("malformed", name, "data_offsets of two whole numbers", offsets.dump());
    const auto begin = offsets[0].get<uint64_t>(), end = offsets[1].get<uint64_t>();
    if (begin > end || end > data_.size())
      refuse("data_offsets lie outside the file", name, "within 0.." + std::to_string(data_.size()), offsets.dump());
    if (end - begin != bytes)
      refuse("data_offsets do not fit dtype and shape", name, std::to_string(bytes) + " bytes",
             std::to_string(end - begin));
    auto strides = contiguous_strides(info.shape);
    content_.tensors.push_back({std::move(info), data_.subspan(begin, bytes), std::move(strides)});
  }

  const nlohmann::json& member(const std::string& name, const nlohmann::json& entry, const char* key) const {
    const auto found = entry.find(key);
    if (found == entry.end()) refuse("malformed", name, std::string("the key ") + key, "none");
    return *found;
  }

  at::ScalarType element_type(const std::string& name, const nlohmann::json& dtype) const {
    if (dtype.is_string())
      for (const auto& [text, type] : kSafetensorsTypes)
        if (dtype.get_ref<const std::string&>() == text) return type;
    std::string known;
    for (const auto& [text, type] : kSafetensorsTypes) known += (known.empty() ? "" : " ") + std::string(text);
    refuse("unknown dtype", name, known, dtype.dump());
  }

  void read_shape(TensorInfo& info, const nlohmann::json& shape) const {
    if (!shape.is_array()) refuse("malformed", info.name, "a shape that is a list", shape.type_name());
    for (const auto& size : shape) {
      if (!size.is_number_unsigned()) refuse("malformed", info.name, "a shape of whole numbers", shape.dump());
      const auto value = size.get<uint64_t>();
      if (value > uint64_t(std::numeric_limits<int64_t>::max()))
        refuse("shape is too large", info.name, "fewer than 2^63 bytes", shape.dump());
      info.shape.push_back(static_cast<int64_t>(value));
    }
  }

  /// The format wants the tensors side by side, without gaps, overlaps or bytes left over.
  void check_layout() const {
    struct Extent {
      uint64_t begin, end;
      const std::string* name;
      auto operator<=>(const Extent&) const = default;
    };
    std::vector<Extent> extents;
    for (const MappedTensor& tensor : content_.tensors) {
      const auto begin = static_cast<uint64_t>(tensor.bytes.data() - data_.data());
      extents.push_back({begin, begin + tensor.bytes.size(), &tensor.info.name});
    }
    std::sort(extents.begin(), extents.end());
    uint64_t end = 0;
    for (const Extent& extent : extents) {
      if (extent.begin != end)
        refuse(extent.begin < end ? "tensor overlaps another one" : "gap before the tensor", *extent.name,
               "data_offsets from " + std::to_string(end), std::to_string(extent.begin));
      end = extent.end;
    }
    if (end != data_.size())
      refuse("bytes left over behind the last tensor", "", std::to_string(end) + " bytes of tensor data",
             std::to_string(data_.size()));
  }

  std::string origin_;
  Bytes file_, data_;
  MappedContent content_{"safetensors", {}, {}};
};

}  // namespace

std::shared_ptr<const WeightSource> open_safetensors(const std::filesystem::path& file) {
  const auto mapping = std::make_shared<MappedFile>(file);
  return mapped_weights(file.string(), mapping, HeaderReader(file.string(), mapping->bytes()).read());
}

}  // namespace lightswitch::nn
