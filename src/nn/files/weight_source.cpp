#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/weights.hpp>

#include <algorithm>

namespace lightswitch {
namespace {

class MemorySource final : public WeightSource {
 public:
  MemorySource(std::map<std::string, at::Tensor> tensors, std::string origin,
               std::map<std::string, std::string> metadata)
      : origin_(std::move(origin)), metadata_(std::move(metadata)), values_(std::move(tensors)) {
    for (const auto& [name, tensor] : values_) infos_.push_back({name, tensor.scalar_type(), tensor.sizes().vec()});
  }

  const std::string& origin() const override { return origin_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  const std::vector<TensorInfo>& tensors() const override { return infos_; }

  at::Tensor read(const std::string& name) const override {
    const auto entry = values_.find(name);
    if (entry == values_.end()) throw WeightsError("no such tensor", {origin_, name, "", ""});
    return entry->second;
  }

 private:
  std::string origin_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, at::Tensor> values_;
  std::vector<TensorInfo> infos_;
};

}  // namespace

const TensorInfo* WeightSource::find(const std::string& name) const {
  const auto& all = tensors();
  const auto entry = std::lower_bound(all.begin(), all.end(), name,
                                      [](const TensorInfo& info, const std::string& key) { return info.name < key; });
  return entry != all.end() && entry->name == name ? &*entry : nullptr;
}

const std::string& WeightSource::format() const {
  static const std::string memory = "memory";
  return memory;
}

std::shared_ptr<const WeightSource> weights_from_memory(std::map<std::string, at::Tensor> tensors, std::string origin,
                                                        std::map<std::string, std::string> metadata) {
  return std::make_shared<MemorySource>(std::move(tensors), std::move(origin), std::move(metadata));
}

}  // namespace lightswitch
