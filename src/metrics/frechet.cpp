#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/frechet.hpp>

#include <algorithm>
#include <limits>

#include "core/describe.hpp"

namespace lightswitch {
namespace {

/// F [D, R] with F Fᵀ the covariance, from its eigenvalues. What is below their rounding is dropped: of a singular
/// covariance it would come back as the square root of noise.
at::Tensor factor(const at::Tensor& covariance) {
  const auto [values, vectors] = at::linalg_eigh(covariance);
  const double largest = values.max().item<double>();
  const double noise = largest * static_cast<double>(values.numel()) * std::numeric_limits<double>::epsilon();
  const at::Tensor kept = (values > std::max(noise, 0.0)).nonzero().squeeze(1);
  return vectors.index_select(1, kept) * values.index_select(0, kept).sqrt();
}

/// tr (A B)^½ = the sum of the singular values of FᵀG, where A = F Fᵀ and B = G Gᵀ: their squares are the eigenvalues
/// of A B. Taking roots of those eigenvalues would halve the digits.
double trace_of_root(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor f = factor(a), g = factor(b);
  if (f.size(1) == 0 || g.size(1) == 0) return 0;
  return at::linalg_svdvals(f.t().matmul(g)).sum().item<double>();
}

}  // namespace

at::Tensor clip_features(const FeatureNetwork& network, const at::Tensor& clip, ClipFeatures how) {
  const bool fits = clip.defined() && clip.dim() == 4 && clip.size(1) == 3 && clip.numel() > 0;
  if (!fits) throw TensorError("unusable clip", {"", "clip", "[T, 3, H, W]", describe(clip)});
  if (how == ClipFeatures::of_clip) return network.features(clip.transpose(0, 1).unsqueeze(0));
  at::Tensor sum;  // frame by frame, which bounds the memory
  for (int64_t t = 0; t < clip.size(0); ++t) {
    const at::Tensor features = network.features(clip.narrow(0, t, 1)).to(at::kDouble);
    sum = sum.defined() ? sum + features : features;
  }
  return (sum / static_cast<double>(clip.size(0))).to(at::kFloat);
}

double frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b) {
  if (!a.source().empty() && !b.source().empty() && a.source() != b.source())
    throw TensorError("statistics of different features have no distance", {"", "source", a.source(), b.source()});
  const at::Tensor first = a.covariance(), second = b.covariance();
  if (a.dimensions() != b.dimensions())
    throw TensorError("statistics of different features have no distance",
                      {"", "dimensions", std::to_string(a.dimensions()), std::to_string(b.dimensions())});
  const double apart = (a.mean() - b.mean()).square().sum().item<double>();
  const double traces = (first.trace() + second.trace()).item<double>();
  // Rounding may leave a tiny negative number where the distributions are equal.
  return std::max(0.0, apart + traces - 2 * trace_of_root(first, second));
}

}  // namespace lightswitch
