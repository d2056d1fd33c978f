#include "kl/names.hpp"

#include <lightswitch/error.hpp>

#include <algorithm>

namespace lightswitch::kl {
namespace {

/// Every AutoencoderKL has this block, and no other family gives it this name.
constexpr const char* kMarker = "mid_block.resnets.0.conv1.weight";

}  // namespace

bool holds(const WeightSource& weights, const std::string& prefix) {
  const TensorInfo* marker = weights.find(prefix + kMarker);
  return marker != nullptr && marker->shape.size() == 4 && marker->shape[0] == marker->shape[1] && marker->shape[0] > 0;
}

bool holds_compvis_names(const WeightSource& weights) {
  const auto& all = weights.tensors();
  return std::any_of(all.begin(), all.end(), [](const TensorInfo& info) {
    return info.name.ends_with("decoder.mid.block_1.conv1.weight") ||
           info.name.ends_with("encoder.mid.block_1.conv1.weight");
  });
}

void require(const WeightSource& weights, const std::string& prefix) {
  if (holds(weights, prefix)) return;
  const std::string expected = prefix + kMarker;
  if (holds_compvis_names(weights))
    throw UnsupportedError(
        "weights carry the names of CompVis' latent diffusion; only diffusers' names are read so far",
        {weights.origin(), "", expected, prefix + "mid.block_1.conv1.weight"});
  throw WeightsError("no AutoencoderKL " + prefix.substr(0, prefix.size() - 1) + " in this file",
                     {weights.origin(), "", expected, "no such tensor"});
}

}  // namespace lightswitch::kl
