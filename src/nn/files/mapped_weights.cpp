#include "nn/files/mapped_weights.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <cstring>
#include <limits>

namespace lightswitch::nn {
namespace {

class MappedWeights final : public WeightSource {
 public:
  MappedWeights(std::string origin, std::shared_ptr<const MappedFile> mapping, MappedContent content)
      : origin_(std::move(origin)),
        mapping_(std::move(mapping)),
        format_(std::move(content.format)),
        metadata_(std::move(content.metadata)),
        tensors_(std::move(content.tensors)) {
    std::ranges::sort(tensors_, {}, [](const MappedTensor& tensor) -> const std::string& { return tensor.info.name; });
    for (const MappedTensor& tensor : tensors_) infos_.push_back(tensor.info);
  }

  const std::string& origin() const override { return origin_; }
  const std::string& format() const override { return format_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }
  const std::vector<TensorInfo>& tensors() const override { return infos_; }

  at::Tensor read(const std::string& name) const override {
    const TensorInfo* info = find(name);
    if (info == nullptr) throw WeightsError("no such tensor", {origin_, name, "", ""});
    const MappedTensor& tensor = tensors_[info - infos_.data()];
    const auto options = at::TensorOptions().dtype(info->dtype);
    if (tensor.bytes.empty()) return at::empty(info->shape, options);
    auto* start = const_cast<std::byte*>(tensor.bytes.data());
    const size_t element = c10::elementSize(info->dtype);
    if (reinterpret_cast<uintptr_t>(start) % element == 0) {
      // Who is done with a tensor has mostly converted it: the file's pages would be a second copy.
      const auto done = [mapping = mapping_, bytes = tensor.bytes](void*) { mapping->release(bytes); };
      return at::from_blob(start, info->shape, tensor.strides, done, options);
    }
    const at::Tensor copy = at::empty({static_cast<int64_t>(tensor.bytes.size() / element)}, options);
    std::memcpy(copy.data_ptr(), start, tensor.bytes.size());
    return copy.as_strided(info->shape, tensor.strides);
  }

 private:
  std::string origin_;
  std::shared_ptr<const MappedFile> mapping_;
  std::string format_;
  std::map<std::string, std::string> metadata_;
  std::vector<MappedTensor> tensors_;
  std::vector<TensorInfo> infos_;
};

}  // namespace

std::vector<int64_t> contiguous_strides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t step = 1;
  for (size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = step;
    step *= std::max<int64_t>(shape[axis], 1);
  }
  return strides;
}

uint64_t bytes_of(const TensorInfo& info, const std::string& origin) {
  int64_t bytes = static_cast<int64_t>(c10::elementSize(info.dtype));
  bool empty = false;
  for (const int64_t size : info.shape) {
    empty |= size == 0;
    if (size < 0 || (size > 0 && __builtin_mul_overflow(bytes, size, &bytes)))
      throw FormatError("shape is too large",
                        {origin, info.name, "fewer than 2^63 bytes", c10::str(at::IntArrayRef(info.shape))});
  }
  return empty ? 0 : static_cast<uint64_t>(bytes);
}

std::shared_ptr<const WeightSource> mapped_weights(std::string origin, std::shared_ptr<const MappedFile> mapping,
                                                   MappedContent content) {
  return std::make_shared<MappedWeights>(std::move(origin), std::move(mapping), std::move(content));
}

}  // namespace lightswitch::nn
