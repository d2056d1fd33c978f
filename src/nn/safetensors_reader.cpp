#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/weights.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string_view>

#include "nn/file_signature.hpp"
#include "nn/mapped_file.hpp"
#include "nn/safetensors.hpp"

namespace lightswitch::nn {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors holds little-endian numbers");

constexpr size_t kLengthBytes = 8;
constexpr int kDeepestNesting = 4;

struct Extent {
  uint64_t begin = 0, end = 0;
};

using Bytes = std::span<const std::byte>;

/// Splits a file into header and tensor data, and reads the header; every refusal names the file and the tensor.
class HeaderReader {
 public:
  HeaderReader(std::string origin, Bytes file) : origin_(std::move(origin)), file_(file) {}

  void read() {
    const std::string_view text = header_text();
    data_ = file_.subspan(kLengthBytes + text.size());
    const nlohmann::json header = parse(text);
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__")
        read_metadata(entry);
      else
        read_entry(name, entry);
    }
    check_layout();
  }

  Bytes data() const { return data_; }
  std::vector<TensorInfo> tensors;  // sorted by name, as nlohmann::json keeps keys sorted
  std::vector<Extent> extents;      // one for each tensor, in the same order
  std::map<std::string, std::string> metadata;

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

  nlohmann::json parse(std::string_view text) const {
    // nlohmann keeps the last of two equal keys; two readers could then see two different files.
    std::vector<std::set<std::string>> keys(kDeepestNesting + 1);
    const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
      if (depth >= kDeepestNesting) refuse("header is nested too deeply");
      if (event == nlohmann::json::parse_event_t::object_start) keys[depth + 1].clear();
      if (event == nlohmann::json::parse_event_t::key && !keys[depth].insert(parsed.get<std::string>()).second)
        refuse("key stands twice in the header", parsed.get<std::string>());
      return true;
    };
    try {
      return nlohmann::json::parse(text.begin(), text.end(), watch);
    } catch (const nlohmann::json::exception& error) {
      refuse("header is not valid JSON", "", "", error.what());
    }
  }

  void read_metadata(const nlohmann::json& entry) {
    if (!entry.is_object()) refuse("malformed", "__metadata__", "an object of texts", entry.type_name());
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_string()) refuse("malformed", "__metadata__." + key, "a text", value.type_name());
      metadata[key] = value.get<std::string>();
    }
  }

  void read_entry(const std::string& name, const nlohmann::json& entry) {
    if (!entry.is_object()) refuse("malformed", name, "an object", entry.type_name());
    TensorInfo info{name, element_type(name, member(name, entry, "dtype")), {}};
    const uint64_t bytes = read_shape(info, member(name, entry, "shape"));
    const nlohmann::json& offsets = member(name, entry, "data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned())
      refuse("malformed", name, "data_offsets of two whole numbers", offsets.dump());
    const Extent extent{offsets[0].get<uint64_t>(), offsets[1].get<uint64_t>()};
    if (extent.begin > extent.end || extent.end > data_.size())
      refuse("data_offsets lie outside the file", name, "within 0.." + std::to_string(data_.size()), offsets.dump());
    if (extent.end - extent.begin != bytes)
      refuse("data_offsets do not fit dtype and shape", name, std::to_string(bytes) + " bytes",
             std::to_string(extent.end - extent.begin));
    tensors.push_back(std::move(info));
    extents.push_back(extent);
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

  /// Fills in the shape and returns the tensor's size in bytes.
  uint64_t read_shape(TensorInfo& info, const nlohmann::json& shape) const {
    if (!shape.is_array()) refuse("malformed", info.name, "a shape that is a list", shape.type_name());
    // Multiplied with zeros left out, so that no shape overflows later on, not even that of an empty tensor.
    uint64_t bytes = c10::elementSize(info.dtype);
    bool empty = false;
    for (const auto& size : shape) {
      if (!size.is_number_unsigned()) refuse("malformed", info.name, "a shape of whole numbers", shape.dump());
      const auto value = size.get<uint64_t>();
      empty |= value == 0;
      if (value != 0 &&
          (__builtin_mul_overflow(bytes, value, &bytes) || bytes > uint64_t(std::numeric_limits<int64_t>::max())))
        refuse("shape is too large", info.name, "fewer than 2^63 bytes", shape.dump());
      info.shape.push_back(static_cast<int64_t>(value));
    }
    return empty ? 0 : bytes;
  }

  /// The format wants the tensors side by side, without gaps, overlaps or bytes left over.
  void check_layout() const {
    std::vector<size_t> order(tensors.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::pair(extents[a].begin, extents[a].end) < std::pair(extents[b].begin, extents[b].end);
    });
    uint64_t end = 0;
    for (const size_t i : order) {
      if (extents[i].begin != end)
        refuse(extents[i].begin < end ? "tensor overlaps another one" : "gap before the tensor", tensors[i].name,
               "data_offsets from " + std::to_string(end), std::to_string(extents[i].begin));
      end = extents[i].end;
    }
    if (end != data_.size())
      refuse("bytes left over behind the last tensor", "", std::to_string(end) + " bytes of tensor data",
             std::to_string(data_.size()));
  }

  std::string origin_;
  Bytes file_, data_;
};

class SafetensorsSource final : public WeightSource {
 public:
  explicit SafetensorsSource(const std::filesystem::path& file)
      : origin_(file.string()), mapping_(std::make_shared<MappedFile>(file)) {
    HeaderReader reader(origin_, mapping_->bytes());
    reader.read();
    data_ = reader.data();
    tensors_ = std::move(reader.tensors);
    extents_ = std::move(reader.extents);
    metadata_ = std::move(reader.metadata);
  }

  const std::string& origin() const override { return origin_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }

  at::Tensor read(const std::string& name) const override {
    const TensorInfo* info = find(name);
    if (info == nullptr) throw WeightsError("no such tensor", {origin_, name, "", ""});
    const Extent& extent = extents_[info - tensors_.data()];
    auto* start = const_cast<std::byte*>(data_.data() + extent.begin);
    const auto options = at::TensorOptions().dtype(info->dtype);
    const bool aligned = reinterpret_cast<uintptr_t>(start) % c10::elementSize(info->dtype) == 0;
    if (aligned && extent.end > extent.begin)
      return at::from_blob(start, info->shape, [mapping = mapping_](void*) {}, options);
    at::Tensor copy = at::empty(info->shape, options);
    if (extent.end > extent.begin) std::memcpy(copy.data_ptr(), start, extent.end - extent.begin);
    return copy;
  }

 private:
  std::string origin_;
  std::shared_ptr<const MappedFile> mapping_;
  Bytes data_;
  std::vector<TensorInfo> tensors_;
  std::vector<Extent> extents_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace

std::shared_ptr<const WeightSource> open_safetensors(const std::filesystem::path& file) {
  return std::make_shared<SafetensorsSource>(file);
}

}  // namespace lightswitch::nn
