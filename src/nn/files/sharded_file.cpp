#include "nn/files/sharded_file.hpp"

#include <lightswitch/error.hpp>

#include <algorithm>
#include <utility>

#include "nn/files/mapped_file.hpp"
#include "nn/files/safetensors.hpp"
#include "nn/files/strict_json.hpp"

namespace lightswitch::nn {
namespace {

constexpr size_t kMostBytes = 64 << 20;
constexpr size_t kMostShards = 1024;
constexpr int kDeepestNesting = 4;

using Source = std::shared_ptr<const WeightSource>;

class ShardedSource final : public WeightSource {
 public:
  explicit ShardedSource(const std::filesystem::path& index) : origin_(index.string()) {
    const nlohmann::json json = parse(index);
    const auto map = json.find("weight_map");
    if (map == json.end() || !map->is_object())
      refuse("not the index of sharded weights", "weight_map", "an object: tensor to shard",
             map == json.end() ? "no such key" : map->type_name());
    read_metadata(json);
    for (const auto& [name, shard] : map->items()) {
      const Source& source = open_shard(index, name, shard);
      const TensorInfo* info = source->find(name);
      if (info == nullptr) refuse("the shard lacks a tensor of the index", name, source->origin(), "no such tensor");
      tensors_.push_back(*info);  // sorted by name, as nlohmann::json keeps keys sorted
      shard_of_.push_back(source.get());
    }
    for (const auto& [file, source] : shards_)
      for (const TensorInfo& info : source->tensors())
        if (!map->contains(info.name) || (*map)[info.name] != file)
          refuse("a shard holds a tensor that the index does not place there", info.name, "none", file);
  }

  const std::string& origin() const override { return origin_; }
  const std::string& format() const override { return format_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }

  at::Tensor read(const std::string& name) const override {
    const TensorInfo* info = find(name);
    if (info == nullptr) throw WeightsError("no such tensor", {origin_, name, "", ""});
    return shard_of_[info - tensors_.data()]->read(name);
  }

 private:
  [[noreturn]] void refuse(const std::string& message, const std::string& field, const std::string& expected,
                           const std::string& found) const {
    throw FormatError(message, {origin_, field, expected, found});
  }

  nlohmann::json parse(const std::filesystem::path& index) const {
    const MappedFile mapping(index);
    const auto bytes = mapping.bytes();
    if (bytes.size() > kMostBytes)
      refuse("too large for an index", "", "at most 64 MiB", std::to_string(bytes.size()) + " bytes");
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    nlohmann::json json = parse_strict_json(text, kDeepestNesting, origin_);
    if (!json.is_object()) refuse("not the index of sharded weights", "", "a JSON object", json.type_name());
    return json;
  }

  void read_metadata(const nlohmann::json& json) {
    const auto metadata = json.find("metadata");
    if (metadata == json.end()) return;
    if (!metadata->is_object()) refuse("malformed", "metadata", "an object", metadata->type_name());
    for (const auto& [key, value] : metadata->items())
      metadata_[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }

  const Source& open_shard(const std::filesystem::path& index, const std::string& name, const nlohmann::json& shard) {
    const std::string file = shard.is_string() ? shard.get<std::string>() : "";
    // An index may not reach out of its folder.
    if (file.empty() || file.find_first_of("/\\") != std::string::npos || !file.ends_with(".safetensors"))
      refuse("unusable shard", name, "the name of a .safetensors file beside the index", shard.dump());
    const auto known = shards_.find(file);
    if (known != shards_.end()) return known->second;
    if (shards_.size() == kMostShards) refuse("too many shards", name, "at most " + std::to_string(kMostShards), file);
    return shards_.emplace(file, open_safetensors(index.parent_path() / file)).first->second;
  }

  std::string origin_, format_ = "sharded safetensors";
  std::map<std::string, Source> shards_;
  std::map<std::string, std::string> metadata_;
  std::vector<TensorInfo> tensors_;
  std::vector<const WeightSource*> shard_of_;
};

}  // namespace

std::shared_ptr<const WeightSource> open_sharded_file(const std::filesystem::path& index) {
  return std::make_shared<ShardedSource>(index);
}

}  // namespace lightswitch::nn
