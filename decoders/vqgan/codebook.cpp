#include "vqgan/codebook.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include <algorithm>

#include "core/describe.hpp"

namespace lightswitch::vqgan {
namespace {

/// Scores of one step: enough to keep the cores busy, few enough to stay in the cache.
constexpr int64_t kScoresAtOnce = int64_t(1) << 20;

/// Rows of the table `name`, or 1 when it is no table: the loader then reports it.
int64_t rows_of(const nn::WeightLoader& loader, const std::string& name) {
  const auto shape = loader.shape_of_absolute(name);
  return shape.size() == 2 && shape[0] > 0 ? shape[0] : 1;
}

}  // namespace

Codebook::Codebook(nn::WeightLoader& loader, int64_t channels) {
  const bool gumbel = loader.has_absolute("quantize.embed.weight");
  const std::string table = gumbel ? "quantize.embed.weight" : "quantize.embedding.weight";
  const int64_t size = rows_of(loader, table);
  // clone: the network must not depend on the file's mapping.
  entries_ = loader.take_absolute(table, {size, channels}).clone();
  if (gumbel) {
    logits_weight_ =
        loader.take_absolute("quantize.proj.weight", {size, channels, 1, 1}).view({size, channels}).clone();
    logits_bias_ = loader.take_absolute("quantize.proj.bias", {size}).clone();
  }
}

at::Tensor Codebook::indices_of(nn::Run& run, const at::Tensor& latents) const {
  const at::Tensor tokens = latents.to(at::kCPU, at::kDouble).permute({0, 2, 3, 1}).reshape({-1, latents.size(1)});
  // The nearest entry has the largest z·e - |e|²/2. In fp64 the difference of large numbers costs nothing that counts.
  const at::Tensor weight = (is_gumbel() ? logits_weight_ : entries_).to(at::kDouble);
  const at::Tensor bias = is_gumbel() ? logits_bias_.to(at::kDouble) : weight.square().sum(1).mul_(-0.5);
  const at::Tensor indices = at::empty({tokens.size(0)}, at::kLong);
  const int64_t step = std::max<int64_t>(1, kScoresAtOnce / size());
  for (int64_t begin = 0; begin < tokens.size(0); begin += step) {
    run.checkpoint();
    const int64_t end = std::min(begin + step, tokens.size(0));
    indices.slice(0, begin, end).copy_(at::addmm(bias, tokens.slice(0, begin, end), weight.t()).argmax(1));
  }
  return indices.view({latents.size(0), latents.size(2), latents.size(3)});
}

at::Tensor Codebook::look_up(const at::Tensor& indices) const {
  if (!indices.defined() || indices.dim() != 3 || indices.scalar_type() != at::kLong || indices.numel() == 0)
    throw TensorError("unusable indices", {"", "indices", "[N, h, w] int64", describe(indices)});
  const int64_t least = indices.min().item<int64_t>(), largest = indices.max().item<int64_t>();
  if (least < 0 || largest >= size())
    throw TensorError("an index that the codebook has not", {"", "indices", "0 … " + std::to_string(size() - 1),
                                                             std::to_string(least < 0 ? least : largest)});
  return at::embedding(entries_, indices.cpu()).permute({0, 3, 1, 2}).contiguous();
}

}  // namespace lightswitch::vqgan
