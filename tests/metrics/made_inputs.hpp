#pragma once

#include <ATen/ATen.h>

#include <utility>

namespace lightswitch::testing {

/// A pair of pictures [3, H, W] and a pair of features [N, 6], by formula: tests/fixtures/make_metric_fixtures.py makes
/// the same.

inline std::pair<at::Tensor, at::Tensor> made_pair(int64_t height, int64_t width) {
  const at::Tensor c = at::arange(3).view({3, 1, 1}), i = at::arange(height).view({1, height, 1}),
                   j = at::arange(width).view({1, 1, width});
  const auto eighth = [](const at::Tensor& x) { return x.floor_divide(8); };
  const at::Tensor levels = (3 * i + 2 * j + 40 * c + (eighth(i) * eighth(j) * 37).remainder(64)).remainder(256);
  const at::Tensor errors = (7 * i + 11 * j + 3 * c).remainder(31) - 15;
  const auto to_picture = [](const at::Tensor& x) { return x.to(at::kFloat) / 255; };
  return {to_picture((levels + errors).clamp(0, 255)), to_picture(levels)};
}

inline std::pair<at::Tensor, at::Tensor> made_features(int64_t count) {
  const at::Tensor n = at::arange(count, at::kDouble).view({count, 1}), d = at::arange(6, at::kDouble).view({1, 6});
  return {at::sin(0.37 * n * (d + 1) + 0.11 * n * n) + 0.1 * d,
          at::cos(0.5 * n * (d + 1) + 0.13 * n * n) * (1 + 0.2 * d)};
}

}  // namespace lightswitch::testing
