#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/seams.hpp>

#include <limits>
#include <vector>

#include "core/describe.hpp"

namespace lightswitch {
namespace {

/// Differences between neighbours along one axis, at borders and elsewhere.
struct Steps {
  double border = 0, elsewhere = 0;
  int64_t borders = 0, others = 0;

  void add(const at::Tensor& picture, int64_t axis, int64_t tile) {
    const at::Tensor steps = picture.diff(1, axis).abs();
    std::vector<int64_t> at_border, between;
    for (int64_t i = 0; i < steps.size(axis); ++i) ((i + 1) % tile == 0 ? at_border : between).push_back(i);
    const auto sum = [&](const std::vector<int64_t>& places, double& total, int64_t& count) {
      if (places.empty()) return;
      const at::Tensor these = steps.index_select(axis, at::tensor(places, at::kLong));
      total += these.sum().item<double>();
      count += these.numel();
    };
    sum(at_border, border, borders);
    sum(between, elsewhere, others);
  }
};

}  // namespace

double seam_ratio(const at::Tensor& picture, int64_t tile) {
  const bool fits = picture.defined() && picture.is_floating_point() && (picture.dim() == 3 || picture.dim() == 4) &&
                    picture.numel() > 0;
  if (!fits)
    throw TensorError("unusable picture",
                      {"", "picture", "[C, H, W] or [N, C, H, W] floating point", describe(picture)});
  if (tile < 2 || (picture.size(-1) <= tile && picture.size(-2) <= tile))
    throw TensorError("a picture without borders of tiles",
                      {"", "tile", "2 or more, and less than height or width", std::to_string(tile)});
  if (!at::isfinite(picture).all().item<bool>())
    throw NumericError("not finite", {"", "picture", "finite numbers", "NaN or infinity"});
  const at::Tensor exact = picture.to(at::kDouble);
  Steps steps;
  steps.add(exact, picture.dim() - 2, tile);
  steps.add(exact, picture.dim() - 1, tile);
  const double border = steps.border / static_cast<double>(steps.borders);
  const double elsewhere = steps.elsewhere / static_cast<double>(steps.others);
  if (elsewhere == 0) return border == 0 ? 1 : std::numeric_limits<double>::infinity();
  return border / elsewhere;
}

}  // namespace lightswitch
