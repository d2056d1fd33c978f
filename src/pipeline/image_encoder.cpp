#include <ATen/ATen.h>
#include <lightswitch/image_encoder.hpp>

#include <algorithm>

namespace lightswitch {
namespace {

/// Along one axis: how far pixels are smeared, and over how many.
struct Blur {
  explicit Blur(double scale) : sigma(std::max((scale - 1) / 2, 0.001)) {
    width = static_cast<int64_t>(std::max(4 * sigma, 3.0));
    width += 1 - width % 2;
  }
  at::Tensor kernel() const {
    const at::Tensor x = at::arange(width, at::kFloat) - static_cast<double>(width / 2);
    const at::Tensor weights = at::exp(-x * x / (2 * sigma * sigma));
    return weights / weights.sum();
  }
  double sigma;
  int64_t width;
};

}  // namespace

at::Tensor resize_for_image_encoder(const at::Tensor& picture, int64_t size) {
  const Blur down(static_cast<double>(picture.size(1)) / static_cast<double>(size));
  const Blur across(static_cast<double>(picture.size(2)) / static_cast<double>(size));
  // Colours are pictures of one channel each: the blur is the same for all.
  at::Tensor colours = picture.unsqueeze(1) * 2 - 1;
  colours = at::reflection_pad2d(colours, {across.width / 2, across.width / 2, 0, 0});
  colours = at::conv2d(colours, across.kernel().view({1, 1, 1, -1}));
  colours = at::reflection_pad2d(colours, {0, 0, down.width / 2, down.width / 2});
  colours = at::conv2d(colours, down.kernel().view({1, 1, -1, 1}));
  colours = at::upsample_bicubic2d(colours, {size, size}, true);
  return ((colours + 1) / 2).squeeze(1);
}

}  // namespace lightswitch
