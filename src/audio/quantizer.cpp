#include <ATen/ATen.h>
#include <lightswitch/audio/quantizer.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "audio/kernels.hpp"

namespace lightswitch::audio {
namespace {

constexpr int64_t kMostEntries = 1 << 16, kMostStages = 1 << 10, kMostFeatures = 1 << 12;

std::vector<float> numbers_of(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.contiguous();
  return {dense.const_data_ptr<float>(), dense.const_data_ptr<float>() + dense.numel()};
}

}  // namespace

ResidualQuantizer::ResidualQuantizer(const at::Tensor& codebooks) {
  const bool sound = codebooks.dim() == 3 && at::isFloatingType(codebooks.scalar_type()) &&
                     std::ranges::all_of(codebooks.sizes(), [](int64_t size) { return size > 0; }) &&
                     codebooks.size(0) <= kMostStages && codebooks.size(1) <= kMostEntries &&
                     codebooks.size(2) <= kMostFeatures;
  if (!sound)
    throw TensorError("not codebooks", {"", "codebooks", "[stages, entries, features] of floating-point numbers",
                                        c10::str(codebooks.sizes(), " of ", codebooks.scalar_type())});
  const at::Tensor books = codebooks.to(at::kFloat);
  if (!at::isfinite(books).all().item<bool>()) throw NumericError("NaN or infinity", {"", "codebooks", "", ""});
  stages_ = books.size(0);
  entries_ = books.size(1);
  features_ = books.size(2);
  entries_first_ = numbers_of(books);
  features_first_ = numbers_of(books.transpose(1, 2));
}

int64_t ResidualQuantizer::bits() const {
  return std::bit_width(static_cast<uint64_t>(entries_ - 1));
}

int64_t ResidualQuantizer::check(size_t numbers, size_t indices, int64_t stages) const {
  if (stages < 1 || stages > stages_)
    throw OptionError("so many stages there are not",
                      {"", "stages", "1 … " + std::to_string(stages_), std::to_string(stages)});
  const auto frames = static_cast<int64_t>(numbers) / features_;
  if (static_cast<int64_t>(numbers) != frames * features_ || static_cast<int64_t>(indices) != frames * stages)
    throw TensorError(
        "embeddings and indices are not of the same frames",
        {"", "indices",
         std::to_string(frames * stages) + " for " + std::to_string(frames) + " frames of " + std::to_string(features_),
         std::to_string(indices) + " for " + std::to_string(numbers) + " numbers"});
  return frames;
}

void ResidualQuantizer::encode(std::span<const float> embeddings, int64_t stages, std::span<int32_t> indices) const {
  const int64_t frames = check(embeddings.size(), indices.size(), stages);
  if (!std::ranges::all_of(embeddings, [](float number) { return std::isfinite(number); }))
    throw NumericError("NaN or infinity", {"", "embeddings", "", ""});
  // Entries in pieces, so that nothing needs to be allocated however many there are.
  std::array<float, 256> distances;
  std::array<float, kMostFeatures> residual;
  for (int64_t frame = 0; frame < frames; ++frame) {
    std::copy_n(embeddings.begin() + frame * features_, features_, residual.begin());
    for (int64_t stage = 0; stage < stages; ++stage) {
      const float* book = features_first_.data() + stage * entries_ * features_;
      int64_t best = 0;
      float nearest = INFINITY;
      for (int64_t piece = 0; piece < entries_; piece += distances.size()) {
        const int64_t count = std::min<int64_t>(distances.size(), entries_ - piece);
        kernels().distances({residual.data(), features_, book + piece, entries_, distances.data(), count});
        for (int64_t entry = 0; entry < count; ++entry)
          if (distances[entry] < nearest) {
            nearest = distances[entry];
            best = piece + entry;
          }
      }
      indices[frame * stages + stage] = static_cast<int32_t>(best);
      const float* entry = entries_first_.data() + (stage * entries_ + best) * features_;
      for (int64_t i = 0; i < features_; ++i) residual[i] -= entry[i];
    }
  }
}

void ResidualQuantizer::decode(std::span<const int32_t> indices, int64_t stages, std::span<float> embeddings) const {
  const int64_t frames = check(embeddings.size(), indices.size(), stages);
  for (const int32_t index : indices)
    if (index < 0 || index >= entries_)
      throw TensorError("no such entry", {"", "indices", "0 … " + std::to_string(entries_ - 1), std::to_string(index)});
  for (int64_t frame = 0; frame < frames; ++frame) {
    float* sum = embeddings.data() + frame * features_;
    std::fill_n(sum, features_, 0.0F);
    for (int64_t stage = 0; stage < stages; ++stage) {
      const float* entry = entries_first_.data() + (stage * entries_ + indices[frame * stages + stage]) * features_;
      for (int64_t i = 0; i < features_; ++i) sum[i] += entry[i];
    }
  }
}

}  // namespace lightswitch::audio
