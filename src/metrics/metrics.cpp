#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/metrics.hpp>

#include "core/describe.hpp"
#include "metrics/pair.hpp"

namespace lightswitch {

at::Tensor metric_batch(const at::Tensor& picture, const char* name) {
  const bool fits = picture.defined() && picture.is_floating_point() && picture.numel() > 0 &&
                    (picture.dim() == 3 || picture.dim() == 4) && picture.size(-3) == 3;
  if (!fits)
    throw TensorError("unusable picture", {"", name, "[3, H, W] or [N, 3, H, W] floating point", describe(picture)});
  if (!at::isfinite(picture).all().item<bool>())
    throw NumericError("not finite", {"", name, "finite numbers", "NaN or infinity"});
  return picture.dim() == 3 ? picture.unsqueeze(0) : picture;
}

MetricPair metric_pair(const at::Tensor& picture, const at::Tensor& reference) {
  MetricPair pair{metric_batch(picture, "picture"), metric_batch(reference, "reference")};
  if (pair.picture.sizes() != pair.reference.sizes())
    throw TensorError("pictures of different shapes cannot be compared",
                      {"", "picture", c10::str(pair.reference.sizes()), c10::str(pair.picture.sizes())});
  return pair;
}

double psnr(const at::Tensor& picture, const at::Tensor& reference) {
  const MetricPair pair = metric_pair(picture, reference);
  const at::Tensor error = (pair.picture.to(at::kDouble) - pair.reference.to(at::kDouble)).square().flatten(1).mean(1);
  return (-10 * at::log10(error)).mean().item<double>();
}

double flicker(const at::Tensor& clip, const at::Tensor& reference) {
  const MetricPair pair = metric_pair(clip, reference);
  const int64_t changes = pair.picture.size(0) - 1;
  if (changes < 1) throw TensorError("one frame does not change", {"", "clip", "2 frames or more", "1"});
  const at::Tensor error = pair.picture.to(at::kDouble) - pair.reference.to(at::kDouble);
  return (error.narrow(0, 1, changes) - error.narrow(0, 0, changes)).abs().mean().item<double>();
}

}  // namespace lightswitch
