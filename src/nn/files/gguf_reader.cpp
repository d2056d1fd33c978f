#include "nn/files/gguf_reader.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <set>

#include "nn/files/byte_reader.hpp"
#include "nn/files/mapped_weights.hpp"

namespace lightswitch::nn {
namespace {

constexpr uint32_t kOldestVersion = 2, kNewestVersion = 3;
constexpr uint32_t kMostAxes = 8;  // the format has 4; more would be a lie
constexpr uint64_t kUsualAlignment = 32;
constexpr size_t kLongestNote = 1000;
constexpr int kDeepestList = 4;

/// Numbers of GGML's element types that are plain numbers.
constexpr std::array<std::pair<uint32_t, at::ScalarType>, 8> kElementTypes{{{0, at::kFloat},
                                                                            {1, at::kHalf},
                                                                            {24, at::kChar},
                                                                            {25, at::kShort},
                                                                            {26, at::kInt},
                                                                            {27, at::kLong},
                                                                            {28, at::kDouble},
                                                                            {30, at::kBFloat16}}};

/// Numbers of the types of metadata.
enum ValueType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, list, u64, i64, f64 };

class GgufReader {
 public:
  GgufReader(std::string origin, std::span<const std::byte> file)
      : origin_(std::move(origin)), file_(file), reader_(file, origin_, "GGUF header") {}

  MappedContent read() {
    reader_.take(4);  // the signature
    const auto version = reader_.number<uint32_t>();
    if (version < kOldestVersion || version > kNewestVersion)
      refuse("unsupported GGUF file", "version", "2 or 3, little-endian", std::to_string(version));
    const auto tensors = reader_.number<uint64_t>(), values = reader_.number<uint64_t>();
    for (uint64_t i = 0; i < values; ++i) read_metadata();
    for (uint64_t i = 0; i < tensors; ++i) read_tensor();
    place_tensors();
    return std::move(content_);
  }

 private:
  [[noreturn]] void refuse(const std::string& message, const std::string& field, const std::string& expected,
                           const std::string& found) const {
    throw FormatError(message, {origin_, field, expected, found});
  }

  std::string_view read_text() { return reader_.text(reader_.number<uint64_t>()); }

  void read_metadata() {
    const std::string key(read_text());
    const std::string value = read_value(key, reader_.number<uint32_t>(), 0);
    if (key == "general.alignment") set_alignment(value);
    if (!value.empty() && value.size() <= kLongestNote) content_.metadata[key] = value;
  }

  /// One value as text; an empty one for a list.
  std::string read_value(const std::string& key, uint32_t type, int depth) {
    switch (type) {
      case u8:
        return std::to_string(reader_.number<uint8_t>());
      case i8:
        return std::to_string(reader_.number<int8_t>());
      case u16:
        return std::to_string(reader_.number<uint16_t>());
      case i16:
        return std::to_string(reader_.number<int16_t>());
      case u32:
        return std::to_string(reader_.number<uint32_t>());
      case i32:
        return std::to_string(reader_.number<int32_t>());
      case f32:
        return std::to_string(reader_.number<float>());
      case boolean:
        return reader_.number<uint8_t>() == 0 ? "false" : "true";
      case text:
        return std::string(read_text());
      case u64:
        return std::to_string(reader_.number<uint64_t>());
      case i64:
        return std::to_string(reader_.number<int64_t>());
      case f64:
        return std::to_string(reader_.number<double>());
      case list: {
        if (depth == kDeepestList) refuse("lists are nested too deeply", key, "at most 4 levels", "more");
        const auto inner = reader_.number<uint32_t>();
        // Every element takes a byte or more, so that a count that lies ends with the file.
        for (auto count = reader_.number<uint64_t>(); count > 0; --count) read_value(key, inner, depth + 1);
        return "";
      }
      default:
        refuse("unknown type of metadata", key, "0 to 12", std::to_string(type));
    }
  }

  void set_alignment(const std::string& value) {
    const bool number =
        !value.empty() && value.size() < 10 && std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
    alignment_ = number ? std::stoull(value) : 0;
    if (!std::has_single_bit(alignment_)) refuse("unusable value", "general.alignment", "a power of two", value);
  }

  void read_tensor() {
    TensorInfo info;
    info.name = std::string(read_text());
    if (!names_.insert(info.name).second) refuse("tensor stands twice", info.name, "one of that name", "two");
    const auto axes = reader_.number<uint32_t>();
    if (axes > kMostAxes)
      refuse("too many axes", info.name, "at most " + std::to_string(kMostAxes), std::to_string(axes));
    for (uint32_t axis = 0; axis < axes; ++axis) {
      const auto size = reader_.number<int64_t>();
      info.shape.insert(info.shape.begin(), size);  // the format has the innermost axis first
    }
    const auto type = reader_.number<uint32_t>();
    const auto known = std::ranges::find(kElementTypes, type, [](const auto& entry) { return entry.first; });
    if (known == kElementTypes.end())
      refuse("quantised or unknown element type", info.name, "F32 F16 BF16 F64 I8 I16 I32 I64",
             "GGML type " + std::to_string(type));
    info.dtype = known->second;
    bytes_of(info, origin_);  // refuses sizes that overflow
    offsets_.push_back(reader_.number<uint64_t>());
    auto strides = contiguous_strides(info.shape);
    content_.tensors.push_back({std::move(info), {}, std::move(strides)});
  }

  /// Offsets count from the first aligned byte behind the header.
  void place_tensors() {
    const uint64_t start = (reader_.position() + alignment_ - 1) / alignment_ * alignment_;
    const auto data = file_.subspan(std::min<uint64_t>(start, file_.size()));
    for (size_t i = 0; i < content_.tensors.size(); ++i) {
      MappedTensor& tensor = content_.tensors[i];
      const uint64_t size = bytes_of(tensor.info, origin_), offset = offsets_[i];
      if (offset > data.size() || size > data.size() - offset)
        refuse("tensor lies outside the file", tensor.info.name, "within 0.." + std::to_string(data.size()),
               std::to_string(size) + " bytes at " + std::to_string(offset));
      tensor.bytes = data.subspan(offset, size);
    }
    check_overlaps();
  }

  void check_overlaps() const {
    std::vector<const MappedTensor*> order;
    for (const MappedTensor& tensor : content_.tensors)
      if (!tensor.bytes.empty()) order.push_back(&tensor);
    std::ranges::sort(order, {}, [](const MappedTensor* tensor) { return tensor->bytes.data(); });
    for (size_t i = 1; i < order.size(); ++i)
      if (order[i - 1]->bytes.data() + order[i - 1]->bytes.size() > order[i]->bytes.data())
        refuse("tensor overlaps another one", order[i]->info.name, "bytes of its own", order[i - 1]->info.name);
  }

  std::string origin_;
  std::span<const std::byte> file_;
  ByteReader reader_;
  uint64_t alignment_ = kUsualAlignment;
  std::set<std::string> names_;
  std::vector<uint64_t> offsets_;
  MappedContent content_{"GGUF", {}, {}};
};

}  // namespace

std::shared_ptr<const WeightSource> open_gguf(const std::filesystem::path& file) {
  const auto mapping = std::make_shared<MappedFile>(file);
  return mapped_weights(file.string(), mapping, GgufReader(file.string(), mapping->bytes()).read());
}

}  // namespace lightswitch::nn
