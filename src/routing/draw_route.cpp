#include <ATen/ATen.h>
#include <lightswitch/error.hpp>
#include <lightswitch/routed_decoder.hpp>

#include "core/describe.hpp"

namespace lightswitch {
namespace {

constexpr double kDarker = 0.45;

/// [1, H, W]: 1 where a pixel is of a heavy sample.
at::Tensor heavy_pixels(const PictureRoute& route, int64_t height, int64_t width) {
  at::Tensor heavy = at::zeros({route.rows, route.columns});
  for (const int64_t sample : route.plan.samples(Path::heavy))
    heavy.index_put_({at::tensor(sample / route.columns), at::tensor(sample % route.columns)}, at::ones({}));
  if (route.tile == 0) return heavy.expand({1, height, width});
  return heavy.repeat_interleave(route.tile, 0)
      .repeat_interleave(route.tile, 1)
      .slice(0, 0, height)
      .slice(1, 0, width)
      .unsqueeze(0);
}

}  // namespace

at::Tensor draw_route(const at::Tensor& picture, const PictureRoute& route) {
  if (!picture.defined() || picture.dim() != 3 || picture.size(0) != 3 || !picture.is_floating_point())
    throw TensorError("unusable picture", {"", "picture", "[3, H, W] floating point", describe(picture)});
  const int64_t height = picture.size(1), width = picture.size(2);
  const auto samples = [&](int64_t length) { return route.tile == 0 ? 1 : (length + route.tile - 1) / route.tile; };
  if (route.rows != samples(height) || route.columns != samples(width) ||
      static_cast<int64_t>(route.plan.size()) != route.rows * route.columns)
    throw TensorError("the route is that of another picture",
                      {"", "route", c10::str(samples(height), " by ", samples(width), " samples"),
                       c10::str(route.rows, " by ", route.columns, ", ", route.plan.size(), " planned")});
  const at::Tensor grey = (picture.mean(0, true) * kDarker).expand_as(picture);
  return at::where(heavy_pixels(route, height, width) > 0, picture, grey);
}

}  // namespace lightswitch
