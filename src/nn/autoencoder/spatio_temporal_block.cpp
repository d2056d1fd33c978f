#include "nn/autoencoder/spatio_temporal_block.hpp"

#include <ATen/ATen.h>

namespace lightswitch::nn::autoencoder {
namespace {

/// Of the temporal norms alone, as diffusers has it.
constexpr double kTemporalEps = 1e-5;

GroupNorm temporal_norm(WeightLoader& loader, const std::string& name, int64_t channels, Plan plan) {
  plan.eps = kTemporalEps;
  return norm_silu(loader, name, channels, plan);
}

/// Frames [T, C, H, W] in channels_last as one picture [1, C, T * H, W]: the same memory.
at::Tensor stacked(const at::Tensor& frames) {
  const int64_t count = frames.size(0), channels = frames.size(1), height = frames.size(2), width = frames.size(3);
  return frames.permute({0, 2, 3, 1}).reshape({1, count * height, width, channels}).permute({0, 3, 1, 2});
}

at::Tensor unstacked(const at::Tensor& picture, int64_t count) {
  const int64_t channels = picture.size(1), height = picture.size(2) / count, width = picture.size(3);
  return picture.permute({0, 2, 3, 1}).reshape({count, height, width, channels}).permute({0, 3, 1, 2});
}

/// σ(mix_factor): the share of the temporal branch.
double mixed_in(WeightLoader& loader, const std::string& name) {
  return at::sigmoid(loader.take(name + ".time_mixer.mix_factor", {1})).item<double>();
}

}  // namespace

TemporalConv::TemporalConv(WeightLoader& loader, const std::string& name, int64_t channels, double scale)
    : name_(loader.full_name(name)),
      weight_(loader.take(name + ".weight", {channels, channels, 3, 1, 1}).squeeze(4) * scale),
      bias_(loader.take(name + ".bias", {channels}) * scale) {
  const auto options = weight_.options().dtype(loader.dtype()).device(loader.device());
  weight_ = weight_.to(options).contiguous(at::MemoryFormat::ChannelsLast);
  bias_ = bias_.to(options);
}

at::Tensor TemporalConv::operator()(Run& run, const at::Tensor& frames) const {
  run.checkpoint();
  if (run.counting()) {
    run.add_macs(frames.numel() * weight_.size(0) * 3);
    return frames;
  }
  return compute(run, frames, 1);
}

at::Tensor TemporalConv::compute(Run& run, const at::Tensor& frames, int64_t padding) const {
  // Time as the height of a picture, in which a row is a frame.
  const int64_t count = frames.size(0), channels = frames.size(1), height = frames.size(2), width = frames.size(3);
  const at::Tensor rows = frames.permute({0, 2, 3, 1}).reshape({1, count, height * width, channels});
  const at::Tensor y = at::conv2d(rows.permute({0, 3, 1, 2}), weight_, bias_, 1, at::IntArrayRef{padding, 0});
  return run.made(name_, y.permute({0, 2, 3, 1}).reshape({y.size(2), height, width, y.size(1)}).permute({0, 3, 1, 2}));
}

at::Tensor TemporalConv::Stream::push(Run& run, const at::Tensor& frame) {
  at::Tensor made;
  if (here_.defined())
    made = between(run, frame);
  else
    before_ = at::zeros_like(frame);
  if (made.defined()) before_ = here_;
  here_ = frame;
  return made;
}

at::Tensor TemporalConv::Stream::finish(Run& run) {
  return between(run, at::zeros_like(here_));
}

at::Tensor TemporalConv::Stream::between(Run& run, const at::Tensor& after) {
  run.checkpoint();
  return conv_.compute(run, at::cat({before_, here_, after}), 0);
}

// out = (1 - σ) s + σ (s + F(s)) = s + σ F(s), s being what the spatial block makes and F the two temporal
// convolutions: σ goes into the weights of the second.
SpatioTemporalBlock::SpatioTemporalBlock(WeightLoader& loader, const std::string& name, int64_t in, int64_t out,
                                         const Plan& plan)
    : spatial_(loader, name + ".spatial_res_block", in, out, plan),
      norm1_(temporal_norm(loader, name + ".temporal_res_block.norm1", out, plan)),
      norm2_(temporal_norm(loader, name + ".temporal_res_block.norm2", out, plan)),
      conv1_(loader, name + ".temporal_res_block.conv1", out),
      conv2_(loader, name + ".temporal_res_block.conv2", out, mixed_in(loader, name)) {}

at::Tensor SpatioTemporalBlock::operator()(Run& run, const at::Tensor& frames) const {
  const at::Tensor spatial = spatial_(run, frames);
  const int64_t count = spatial.size(0);
  const at::Tensor hidden = conv1_(run, unstacked(norm1_(run, stacked(spatial)), count));
  return add(run, conv2_(run, unstacked(norm2_(run, stacked(hidden)), count)), spatial);
}

void SpatioTemporalBlock::along_time(Run& run, std::vector<at::Tensor>& frames) const {
  const auto over_all = [](const std::vector<at::Tensor>& each) { return pooled(at::cat(each)); };
  std::vector<at::Tensor> each;
  for (const at::Tensor& frame : frames) each.push_back(norm1_.statistics(frame));
  const at::Tensor first = over_all(each);
  // Calls `take` with what the first convolution makes of every frame, in order.
  const auto hidden = [&](auto&& take) {
    TemporalConv::Stream stream(conv1_);
    for (const at::Tensor& frame : frames)
      if (const at::Tensor made = stream.push(run, norm1_.with(run, first, frame)); made.defined()) take(made);
    take(stream.finish(run));
  };
  each.clear();
  hidden([&](const at::Tensor& made) { each.push_back(norm2_.statistics(made)); });
  const at::Tensor second = over_all(each);
  TemporalConv::Stream stream(conv2_);
  size_t done = 0;
  // Frame `done` has been read by the first convolution for the last time when the second gives what is added to it.
  const auto add_to_next = [&](const at::Tensor& change) {
    if (change.defined()) frames[done] = add(run, change, frames[done]), ++done;
  };
  hidden([&](at::Tensor made) { add_to_next(stream.push(run, norm2_.with(run, second, std::move(made)))); });
  add_to_next(stream.finish(run));
}

}  // namespace lightswitch::nn::autoencoder
