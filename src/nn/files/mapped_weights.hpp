#pragma once

#include <lightswitch/weights.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/files/mapped_file.hpp"

namespace lightswitch::nn {

/// A tensor that lies in a mapped file.
struct MappedTensor {
  TensorInfo info;
  /// Its elements, from the first one in memory to the last; inside the mapping.
  std::span<const std::byte> bytes;
  /// Steps in elements along each axis; none of them negative, and all of them together stay inside `bytes`.
  std::vector<int64_t> strides;
};

/// What a reader found in a file, every offset, size and shape checked.
struct MappedContent {
  std::string format;  ///< "safetensors"
  std::vector<MappedTensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// Strides of a tensor whose last axis is innermost. @param shape must not overflow when multiplied.
std::vector<int64_t> contiguous_strides(const std::vector<int64_t>& shape);

/// Bytes of a tensor of that shape, counted with sizes of 0 left out so that nothing overflows later on; 0 for an empty
/// one. @throws FormatError naming `origin` and the tensor when they are 2^63 or more.
uint64_t bytes_of(const TensorInfo& info, const std::string& origin);

/// A source that hands out views of the mapping, or copies where the file did not align its numbers.
std::shared_ptr<const WeightSource> mapped_weights(std::string origin, std::shared_ptr<const MappedFile> mapping,
                                                   MappedContent content);

}  // namespace lightswitch::nn
