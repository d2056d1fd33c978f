#include "nn/files/pytorch_file.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>

#include "nn/files/mapped_weights.hpp"
#include "nn/files/pickle.hpp"
#include "nn/files/zip_directory.hpp"

namespace lightswitch::nn {
namespace {

using Kind = Pickle::Kind;
using Value = Pickle::Value;
using Entries = std::map<std::string, ZipEntry>;

constexpr std::string_view kPickleName = "data.pkl";
/// Where trainers put the weights, the better copy first.
constexpr std::array<std::string_view, 6> kLevels{"params_ema", "state_dict", "model", "params", "module", "generator"};
constexpr int kDeepestLevel = 4;
constexpr size_t kMostAxes = 64;  // LibTorch's own limit
/// Views may share storage, which honest files do a little; all tensors together may not be many times the file.
constexpr uint64_t kMostSharing = 4;
constexpr size_t kListed = 10;
constexpr size_t kLongestNote = 100;
constexpr size_t kLongestTensorName = 4096;

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 10> kStorages{{
    {"torch.DoubleStorage", at::kDouble},
    {"torch.FloatStorage", at::kFloat},
    {"torch.HalfStorage", at::kHalf},
    {"torch.BFloat16Storage", at::kBFloat16},
    {"torch.LongStorage", at::kLong},
    {"torch.IntStorage", at::kInt},
    {"torch.ShortStorage", at::kShort},
    {"torch.CharStorage", at::kChar},
    {"torch.ByteStorage", at::kByte},
    {"torch.BoolStorage", at::kBool},
}};

bool is_dict(const Value& value) {
  return value.kind == Kind::dict || (value.kind == Kind::call && (value.text == "collections.OrderedDict" ||
                                                                   value.text == "collections.defaultdict"));
}

class CheckpointReader {
 public:
  CheckpointReader(std::string origin, std::span<const std::byte> file)
      : origin_(std::move(origin)),
        file_bytes_(file.size()),
        entries_(read_zip_directory(file, origin_)),
        folder_(find_folder()),
        pickle_(stored(folder_ + std::string(kPickleName)), origin_) {}

  MappedContent read() {
    const Value& level = find_level();
    std::map<std::string, MappedTensor> tensors;  // a key set twice holds what was set last, as in Python
    for (size_t i = 0; i + 1 < level.items.size(); i += 2) {
      const Value& key = pickle_[level.items[i]];
      const Value* tensor = as_tensor(pickle_[level.items[i + 1]]);
      if (tensor == nullptr) continue;
      if (key.kind != Kind::text || key.text.size() > kLongestTensorName)
        refuse("a tensor without a usable name", "", "a text of at most 4096 bytes as key", "something else");
      const std::string name(key.text);
      tensors.insert_or_assign(name, read_tensor(name, *tensor));
    }
    check_sharing(tensors);
    for (auto& [name, tensor] : tensors) content_.tensors.push_back(std::move(tensor));
    note_what_was_passed_over();
    return std::move(content_);
  }

 private:
  [[noreturn]] void refuse(const std::string& message, const std::string& field, const std::string& expected,
                           const std::string& found) const {
    throw FormatError(message, {origin_, field, expected, found});
  }

  /// Archives have one top folder, named as the writer liked.
  std::string find_folder() const {
    std::string folder;
    for (const auto& [name, entry] : entries_) {
      const size_t slash = name.find('/');
      if (slash == std::string::npos || name.substr(slash + 1) != kPickleName) continue;
      if (!folder.empty()) refuse("two checkpoints in one archive", name, "one data.pkl", "two");
      folder = name.substr(0, slash + 1);
    }
    if (folder.empty())
      refuse("not a PyTorch checkpoint", "", "FOLDER/data.pkl in the zip archive",
             entries_.empty() ? "an empty zip archive" : "a zip archive of " + entries_.begin()->first + " and others");
    if (entries_.contains(folder + "constants.pkl"))
      refuse("not a weight file", "", "a checkpoint that torch.save wrote", "a TorchScript archive (a zip archive)");
    return folder;
  }

  std::span<const std::byte> stored(const std::string& name) const {
    const auto entry = entries_.find(name);
    if (entry == entries_.end()) refuse("the archive lacks a part", name, "a zip entry of that name", "none");
    if (entry->second.method != kZipStored)
      refuse("zip entry is compressed or encrypted", name, "a stored one, as torch.save writes them",
             "method " + std::to_string(entry->second.method));
    return entry->second.bytes;
  }

  const Value* as_tensor(const Value& value) const {
    const Value* found = &value;
    if (found->kind == Kind::call && found->text.starts_with("torch._utils._rebuild_parameter")) {
      const auto& arguments = pickle_[found->argument].items;
      if (arguments.empty()) refuse("unusable parameter", std::string(found->text), "a tensor", "no argument");
      found = &pickle_[arguments.front()];
    }
    const bool rebuilt = found->kind == Kind::call && (found->text.starts_with("torch._utils._rebuild_") ||
                                                       found->text.starts_with("torch._tensor._rebuild_"));
    return rebuilt ? found : nullptr;
  }

  bool holds_tensors(const Value& dict) const {
    for (size_t i = 1; i < dict.items.size(); i += 2)
      if (as_tensor(pickle_[dict.items[i]]) != nullptr) return true;
    return false;
  }

  const Value* member(const Value& dict, std::string_view name) const {
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2)
      if (const Value& key = pickle_[dict.items[i]]; key.kind == Kind::text && key.text == name)
        return &pickle_[dict.items[i + 1]];
    return nullptr;
  }

  const Value& find_level() {
    const Value* dict = &pickle_.root();
    std::string path;
    for (int depth = 0; depth < kDeepestLevel && is_dict(*dict); ++depth) {
      const auto inner = std::ranges::find_if(kLevels, [&](std::string_view name) {
        const Value* value = member(*dict, name);
        return value != nullptr && is_dict(*value);
      });
      if (inner == kLevels.end()) break;
      if (depth == 0) note_training(*dict);
      dict = member(*dict, *inner);
      path += (path.empty() ? "" : ".") + std::string(*inner);
    }
    if (!is_dict(*dict))
      refuse("no dict of tensors in this checkpoint", "", "what state_dict() gives", describe(*dict));
    if (!holds_tensors(*dict))
      refuse("no tensors at a place where trainers put them", path, "a dict of tensors, or one in state_dict or model",
             keys_of(*dict));
    if (!path.empty()) content_.metadata["level"] = path;
    return *dict;
  }

  /// Epoch, version and the like, for people who look at the file.
  void note_training(const Value& dict) {
    for (size_t i = 0; i + 1 < dict.items.size() && content_.metadata.size() < kListed; i += 2) {
      const Value &key = pickle_[dict.items[i]], &value = pickle_[dict.items[i + 1]];
      if (key.kind != Kind::text || key.text.size() > kLongestNote) continue;
      const std::string name = "checkpoint." + std::string(key.text);
      if (value.kind == Kind::integer) content_.metadata[name] = std::to_string(value.integer);
      if (value.kind == Kind::text && value.text.size() <= kLongestNote)
        content_.metadata[name] = std::string(value.text);
    }
  }

  void note_what_was_passed_over() {
    std::set<std::string_view> classes;
    for (const Value& value : pickle_.values())
      if (value.kind == Kind::object || (value.kind == Kind::call && !is_dict(value) && as_tensor(value) == nullptr))
        classes.insert(value.text.substr(0, kLongestNote));
    if (classes.empty()) return;
    std::string& note = content_.metadata["passed over, not executed"];
    size_t listed = 0;
    for (const std::string_view name : classes) {
      if (listed++ == kListed) break;
      note += (note.empty() ? "" : ", ") + std::string(name);
    }
    if (classes.size() > kListed) note += ", and " + std::to_string(classes.size() - kListed) + " more";
  }

  static std::string describe(const Value& value) {
    if (value.kind == Kind::object || value.kind == Kind::call)
      return "an object of " + std::string(value.text.substr(0, kLongestNote)) + " (save its state_dict() instead)";
    return value.kind == Kind::list ? "a list" : "a single value";
  }

  std::string keys_of(const Value& dict) const {
    std::string text = "a dict of";
    for (size_t i = 0; i < std::min(dict.items.size(), 2 * kListed); i += 2) {
      const Value& key = pickle_[dict.items[i]];
      text += " " + (key.kind == Kind::text ? std::string(key.text.substr(0, kLongestNote)) : "?");
    }
    return dict.items.empty() ? "an empty dict" : text;
  }

  MappedTensor read_tensor(const std::string& name, const Value& tensor) const {
    if (tensor.text != "torch._utils._rebuild_tensor_v2" && tensor.text != "torch._utils._rebuild_tensor")
      refuse("unsupported kind of tensor", name, "a dense one of an ordinary element type", std::string(tensor.text));
    // storage, offset, shape, strides, and what matters to training only
    const auto& arguments = pickle_[tensor.argument].items;
    if (arguments.size() < 4) refuse("unusable tensor", name, "4 arguments", std::to_string(arguments.size()));
    const Value& storage = pickle_[arguments[0]];
    const auto sizes = integers(name, "shape", pickle_[arguments[2]]);
    const auto strides = integers(name, "strides", pickle_[arguments[3]]);
    const int64_t offset = whole_number(name, "offset", pickle_[arguments[1]]);
    if (sizes.size() != strides.size())
      refuse("shape and strides do not fit", name, "as many strides as axes",
             std::to_string(sizes.size()) + " and " + std::to_string(strides.size()));
    const auto [dtype, bytes] = read_storage(name, storage);
    const uint64_t element = c10::elementSize(dtype);
    MappedTensor result{{name, dtype, sizes}, {}, strides};
    const uint64_t size = bytes_of(result.info, origin_);
    if (size > bytes.size())
      refuse("tensor is larger than its storage", name, std::to_string(bytes.size()) + " bytes or fewer",
             std::to_string(size));
    if (size == 0) return result;
    const uint64_t begin = static_cast<uint64_t>(offset), count = bytes.size() / element;
    const auto last = last_element(sizes, strides);
    if (!last || begin >= count || *last >= count - begin)
      refuse("tensor reaches outside its storage", name, std::to_string(count) + " elements",
             "one from " + std::to_string(begin) + (last ? " over " + std::to_string(*last) : " over 2^63"));
    result.bytes = bytes.subspan(begin * element, (*last + 1) * element);
    return result;
  }

  /// Distance from the first to the last element in memory; nullopt when that overflows.
  static std::optional<uint64_t> last_element(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
    int64_t last = 0;
    for (size_t axis = 0; axis < sizes.size(); ++axis) {
      int64_t step = 0;
      if (__builtin_mul_overflow(sizes[axis] - 1, strides[axis], &step) || __builtin_add_overflow(last, step, &last))
        return std::nullopt;
    }
    return static_cast<uint64_t>(last);
  }

  struct Storage {
    at::ScalarType dtype;
    std::span<const std::byte> bytes;
  };

  Storage read_storage(const std::string& name, const Value& storage) const {
    // ("storage", class, key, device, elements)
    const auto wrong = [&](const std::string& found) {
      refuse("unusable storage", name, "('storage', class, key, device, elements)", found);
    };
    if (storage.kind != Kind::persistent) wrong("no persistent id");
    const Value& id = pickle_[storage.argument];
    if (id.kind != Kind::tuple || id.items.size() < 5) wrong("another persistent id");
    const Value &type = pickle_[id.items[1]], &key = pickle_[id.items[2]];
    if (type.kind != Kind::global || key.kind != Kind::text) wrong("parts of other types");
    const auto known = std::ranges::find(kStorages, type.text, [](const auto& known_type) { return known_type.first; });
    if (known == kStorages.end())
      refuse("unknown element type", name, "double, float, half, bfloat16, integers or bool",
             std::string(type.text.substr(0, kLongestNote)));
    const int64_t elements = whole_number(name, "storage size", pickle_[id.items[4]]);
    const auto bytes = stored(folder_ + "data/" + std::string(key.text));
    const uint64_t element = c10::elementSize(known->second);
    if (bytes.size() % element != 0 || bytes.size() / element != static_cast<uint64_t>(elements))
      refuse("storage has another size than the pickle says", name,
             std::to_string(elements) + " elements of " + std::to_string(element) + " bytes",
             std::to_string(bytes.size()) + " bytes");
    check_byte_order();
    return {known->second, bytes};
  }

  /// Old files do not say, and were little-endian.
  void check_byte_order() const {
    const std::string name = folder_ + "byteorder";
    if (!entries_.contains(name)) return;
    const auto bytes = stored(name);
    const std::string_view order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (order != "little") refuse("unsupported byte order", name, "little", std::string(order.substr(0, kListed)));
  }

  int64_t whole_number(const std::string& name, const char* what, const Value& value) const {
    if (value.kind != Kind::integer || value.integer < 0)
      refuse("unusable tensor", name, std::string(what) + ": whole numbers",
             value.kind == Kind::integer ? std::to_string(value.integer) : "something else");
    return value.integer;
  }

  std::vector<int64_t> integers(const std::string& name, const char* what, const Value& value) const {
    if (value.kind != Kind::tuple || value.items.size() > kMostAxes)
      refuse("unusable tensor", name, std::string(what) + ": a tuple of at most 64", "something else");
    std::vector<int64_t> numbers;
    for (const auto item : value.items) numbers.push_back(whole_number(name, what, pickle_[item]));
    return numbers;
  }

  void check_sharing(const std::map<std::string, MappedTensor>& tensors) const {
    uint64_t bytes = 0;
    for (const auto& [name, tensor] : tensors) bytes += std::min<uint64_t>(bytes_of(tensor.info, origin_), file_bytes_);
    if (bytes / kMostSharing > file_bytes_)
      refuse("tensors share storage too often", "",
             "tensors of at most " + std::to_string(kMostSharing) + " times the file",
             std::to_string(bytes) + " bytes in a file of " + std::to_string(file_bytes_));
  }

  std::string origin_;
  uint64_t file_bytes_;
  Entries entries_;
  std::string folder_;
  Pickle pickle_;
  MappedContent content_{"PyTorch checkpoint", {}, {}};
};

}  // namespace

std::shared_ptr<const WeightSource> open_pytorch_file(const std::filesystem::path& file) {
  const auto mapping = std::make_shared<MappedFile>(file);
  return mapped_weights(file.string(), mapping, CheckpointReader(file.string(), mapping->bytes()).read());
}

}  // namespace lightswitch::nn
