#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace lightswitch::audio {

/// A residual vector quantizer (arXiv 2107.03312, section III-C): each stage rounds to the nearest entry of its
/// codebook what the stages before it left. The first n stages of a code are themselves a code, of n / stages() of the
/// bits. Immutable; allocates nothing per frame.
class ResidualQuantizer {
 public:
  /// @param codebooks [stages, entries, features], floating-point. @throws TensorError for another shape or more than
  /// 65536 entries, NumericError for NaN or infinity.
  explicit ResidualQuantizer(const at::Tensor& codebooks);

  int64_t stages() const { return stages_; }
  int64_t entries() const { return entries_; }
  int64_t features() const { return features_; }
  int64_t parameters() const { return stages_ * entries_ * features_; }
  /// Bits that an index takes: the binary logarithm of entries(), rounded up.
  int64_t bits() const;
  /// Multiply-adds of encode() for one frame.
  int64_t macs_per_frame(int64_t stages) const { return stages * entries_ * features_; }

  /// The code of whole frames; of entries that are equally near, the lowest index.
  /// @param embeddings frames * features numbers.
  /// @param stages 1 … stages().
  /// @param indices room for frames * stages, frame after frame.
  /// @throws OptionError for the stages, TensorError for sizes that do not fit, NumericError for NaN or infinity.
  void encode(std::span<const float> embeddings, int64_t stages, std::span<int32_t> indices) const;

  /// The sum of the entries named, in the order of the stages: the same bits on every machine.
  /// @param indices frames * stages. @param embeddings room for frames * features.
  /// @throws as encode(); also TensorError for an index that is no entry.
  void decode(std::span<const int32_t> indices, int64_t stages, std::span<float> embeddings) const;

 private:
  int64_t check(size_t numbers, size_t indices, int64_t stages) const;

  int64_t stages_, entries_, features_;
  std::vector<float> entries_first_;   // [stage][entry][feature]
  std::vector<float> features_first_;  // [stage][feature][entry]
};

}  // namespace lightswitch::audio
