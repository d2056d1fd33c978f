#include "vit/resample.hpp"

#include <ATen/ATen.h>

#include <utility>

namespace lightswitch::vit {
namespace {

using nn::Activation;

/// How often `part` goes into `whole`. A shortcut between widths that do not divide has no meaning.
int64_t quotient(const nn::WeightLoader& loader, const std::string& name, int64_t whole, int64_t part) {
  if (part > 0 && whole > 0 && whole % part == 0) return whole / part;
  throw WeightsError("the shortcut does not fit the widths",
                     {.file = loader.origin(),
                      .field = name + ".weight",
                      .expected = "a multiple of " + std::to_string(part) + " channels",
                      .found = std::to_string(whole)});
}

/// Adds a map [out, in] of single pixels to the centre tap of a 3x3 convolution.
nn::Conv2d conv_with_pixel_map(nn::WeightLoader& loader, const std::string& name, int64_t in, int64_t out,
                               const at::Tensor& map) {
  const at::Tensor weight = loader.take(name + ".weight", {out, in, 3, 3}).clone();
  weight.select(3, 1).select(2, 1).add_(map);
  return nn::Conv2d(loader, loader.full_name(name), weight, loader.take(name + ".bias", {out}), {.in = in, .out = out});
}

/// Every channel `repeats` times in a row.
at::Tensor repeat_channels(const at::Tensor& x, int64_t repeats) {
  const at::Tensor pixels = x.permute({0, 2, 3, 1}).unsqueeze(4).expand({-1, -1, -1, -1, repeats});
  return pixels.reshape({x.size(0), x.size(2), x.size(3), x.size(1) * repeats}).permute({0, 3, 1, 2});
}

/// The mean of every `group` channels in a row.
at::Tensor average_channels(const at::Tensor& x, int64_t group) {
  if (group == 1) return x;
  const at::Tensor pixels =
      x.permute({0, 2, 3, 1}).reshape({x.size(0), x.size(2), x.size(3), x.size(1) / group, group});
  return pixels.mean(4).permute({0, 3, 1, 2});
}

}  // namespace

nn::Conv2d duplicating_conv(nn::WeightLoader& loader, const std::string& name, int64_t in, int64_t out) {
  const int64_t repeats = quotient(loader, name, out, in);
  return conv_with_pixel_map(loader, name, in, out, at::eye(in).repeat_interleave(repeats, 0));
}

nn::Conv2d averaging_conv(nn::WeightLoader& loader, const std::string& name, int64_t in, int64_t out) {
  const int64_t group = quotient(loader, name, in, out);
  return conv_with_pixel_map(loader, name, in, out, at::eye(out).repeat_interleave(group, 1).div_(group));
}

Upsample::Upsample(nn::WeightLoader& loader, const std::string& name, int64_t in, int64_t out, bool shortcut) {
  const auto shape = loader.shape_of(name + ".weight");
  if (!shape.empty() && shape[0] == out) {
    conv_ = nn::UpsampleConv2d(loader, name, in, out);
    if (shortcut) repeats_ = quotient(loader, name, 4 * out, in);
  } else if (shortcut) {
    conv_ = duplicating_conv(loader, name, in, 4 * out);
  } else {
    conv_ = nn::Conv2d(loader, name, {.in = in, .out = 4 * out});
  }
}

at::Tensor Upsample::operator()(nn::Run& run, const at::Tensor& x) const {
  if (const auto* shuffled = std::get_if<nn::Conv2d>(&conv_)) return nn::pixel_shuffle(run, (*shuffled)(run, x), 2);
  at::Tensor y = std::get<nn::UpsampleConv2d>(conv_)(run, x);
  return repeats_ > 0 ? nn::add(run, std::move(y), nn::pixel_shuffle(run, repeat_channels(x, repeats_), 2)) : y;
}

int64_t Upsample::reach(int64_t radius) const {
  return std::holds_alternative<nn::Conv2d>(conv_) ? (radius + 1) / 2 + 1 : (radius + 2) / 2;
}

Downsample::Downsample(nn::WeightLoader& loader, const std::string& name, int64_t in, int64_t out, bool shortcut) {
  const auto shape = loader.shape_of(name + ".weight");
  unshuffles_ = shape.empty() || shape[0] != out;
  conv_ = unshuffles_ ? nn::Conv2d(loader, name, {.in = in, .out = out / 4})
                      : nn::Conv2d(loader, name, {.in = in, .out = out, .stride = 2});
  if (shortcut) group_ = quotient(loader, name, 4 * in, out);
}

at::Tensor Downsample::operator()(nn::Run& run, const at::Tensor& x) const {
  at::Tensor y = conv_(run, x);
  if (unshuffles_) y = nn::pixel_unshuffle(run, y, 2);
  return group_ > 0 ? nn::add(run, std::move(y), average_channels(nn::pixel_unshuffle(run, x, 2), group_)) : y;
}

}  // namespace lightswitch::vit
