#include "audio/network.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>

#include "audio/workspace.hpp"
#include "nn/weight_loader.hpp"

namespace lightswitch::audio {
namespace {

/// Frames that go through all layers together: their rows stay in the second-level cache.
constexpr int64_t kBlock = 8;

Convolution take_convolution(nn::WeightLoader& weights, const std::string& name, int64_t in, int64_t out,
                             int64_t kernel, int64_t stride, int64_t dilation, int64_t groups) {
  const at::Tensor weight = weights.take(name + ".weight", {out, in / groups, kernel});
  return Convolution::plain(weight, weights.take(name + ".bias", {out}), stride, dilation, groups);
}

Convolution take_transposed(nn::WeightLoader& weights, const std::string& name, int64_t in, int64_t out, int64_t kernel,
                            int64_t stride, int64_t groups) {
  const at::Tensor weight = weights.take(name + ".weight", {in, out / groups, kernel});
  return Convolution::transposed(weight, weights.take(name + ".bias", {out}), stride, groups);
}

Unit take_unit(nn::WeightLoader& weights, const std::string& name, const Layout& layout, int64_t channels,
               int64_t dilation, int64_t groups) {
  Unit unit;
  if (layout.separable) {
    const at::Tensor weight = weights.take(name + ".depthwise.weight", {channels, 1, layout.unit_kernel});
    unit.depthwise = DepthwiseConvolution(weight, weights.take(name + ".depthwise.bias", {channels}), dilation);
    unit.convolution = take_convolution(weights, name + ".pointwise", channels, channels, 1, 1, 1, 1);
  } else {
    unit.convolution =
        take_convolution(weights, name + ".conv", channels, channels, layout.unit_kernel, 1, dilation, 1);
  }
  unit.mix = take_convolution(weights, name + ".mix", channels, channels, 1, 1, 1, groups);
  return unit;
}

template <typename Layers>
void take_units(nn::WeightLoader& weights, const std::string& stage, const Layout& layout, const Stage& from,
                Layers& layers) {
  for (size_t i = 0; i < from.dilations.size(); ++i)
    layers.push_back(take_unit(weights, stage + "units." + std::to_string(i), layout, from.channels, from.dilations[i],
                               from.unit_groups));
}

int64_t divided_up(int64_t number, int64_t by) {
  return (number + by - 1) / by;
}

struct Facts {
  int64_t history, channels, down, up, macs, parameters;
};

Facts facts_of(const std::variant<Resampler, Unit>& layer) {
  if (const auto* resampler = std::get_if<Resampler>(&layer)) {
    const Convolution& c = resampler->convolution;
    return {c.history(), c.inputs(), c.rows_down(), c.rows_up(), c.macs_per_step(), c.parameters()};
  }
  const auto& unit = std::get<Unit>(layer);
  return {unit.history(),
          unit.channels(),
          1,
          1,
          unit.macs_per_step(),
          (unit.depthwise ? unit.depthwise->parameters() : 0) + unit.convolution.parameters() + unit.mix.parameters()};
}

void grow(Floats& room, int64_t size) {
  if (static_cast<int64_t>(room.size()) < size) room.resize(size);
}

}  // namespace

Network Network::decoder(const Layout& layout, nn::WeightLoader& weights) {
  layout.validate();
  Network made;
  auto& layers = made.layers_.all;
  layers.push_back(Resampler{take_convolution(weights, "first", layout.features, layout.widest, layout.widest_kernel, 1,
                                              1, layout.widest_groups)});
  int64_t channels = layout.widest;
  for (size_t i = 0; i < layout.stages.size(); ++i) {
    const Stage& stage = layout.stages[i];
    const std::string name = "stages." + std::to_string(i) + ".";
    layers.push_back(Resampler{
        take_transposed(weights, name + "resample", channels, stage.channels, stage.kernel, stage.stride, stage.groups),
        true});
    take_units(weights, name, layout, stage, layers);
    channels = stage.channels;
  }
  layers.push_back(
      Resampler{take_transposed(weights, "last", channels, 1, layout.sample_kernel, layout.sample_stride, 1), true});
  made.rows_in_ = 1;
  made.finish(layout.activation);
  return made;
}

Network Network::encoder(const Layout& layout, nn::WeightLoader& weights) {
  layout.validate();
  Network made;
  auto& layers = made.layers_.all;
  const auto& stages = layout.stages;
  const int64_t finest = stages.empty() ? layout.widest : stages.back().channels;
  layers.push_back(
      Resampler{take_convolution(weights, "first", 1, finest, layout.sample_kernel, layout.sample_stride, 1, 1)});
  for (size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[stages.size() - 1 - i];
    const std::string name = "stages." + std::to_string(i) + ".";
    take_units(weights, name, layout, stage, layers);
    const int64_t coarser = i + 1 < stages.size() ? stages[stages.size() - 2 - i].channels : layout.widest;
    layers.push_back(Resampler{take_convolution(weights, name + "resample", stage.channels, coarser, stage.kernel,
                                                stage.stride, 1, stage.groups),
                               true});
  }
  layers.push_back(Resampler{take_convolution(weights, "last", layout.widest, layout.features, layout.widest_kernel, 1,
                                              1, layout.widest_groups),
                             true});
  made.rows_in_ = layout.hop();
  made.finish(layout.activation);
  return made;
}

void Network::finish(Activation activation) {
  activation_ = activation;
  const auto& layers = layers_.all;
  int64_t rows = rows_in_;
  for (const auto& layer : layers) {
    const Facts facts = facts_of(layer);
    offsets_.push_back(memory_);
    rows_.push_back(rows);
    memory_ += facts.history * facts.channels;
    macs_ += rows / facts.down * facts.macs;
    parameters_ += facts.parameters;
    rows = rows / facts.down * facts.up;
  }
  rows_out_ = rows;
  layers_.front_channels = facts_of(layers.front()).channels;
  layers_.back_channels = std::get<Resampler>(layers.back()).convolution.outputs();
  needed_.resize(layers.size());
  int64_t outputs = 0;
  for (size_t i = layers.size(); i-- > 0;) {
    const Facts facts = facts_of(layers[i]);
    outputs = needed_[i] = divided_up(outputs, facts.up) * facts.down + facts.history;
  }
  reach_ = divided_up(needed_.front(), rows_in_);
}

void Network::activate(const float* x, float* out, int64_t count) const {
  activation_ == Activation::leaky ? kernels().leaky(x, out, count) : elu(x, out, count);
}

void Network::reserve(Workspace& workspace, int64_t frames) const {
  int64_t signal = 0, window = 0, hidden = 0;
  for (size_t i = 0; i < layers_.all.size(); ++i) {
    const Facts facts = facts_of(layers_.all[i]);
    const int64_t rows = rows_[i] * frames;
    signal = std::max(signal, rows * facts.channels);
    window = std::max(window, (rows + facts.history) * facts.channels);
    if (std::holds_alternative<Unit>(layers_.all[i])) hidden = std::max(hidden, rows * facts.channels);
  }
  grow(workspace.signal, signal);
  grow(workspace.next, signal);
  grow(workspace.window, window);
  grow(workspace.hidden, hidden);
  grow(workspace.mixed, hidden);
}

namespace {

/// `rows` rows of signal at `data`.
struct Rows {
  float* data;
  int64_t rows;
};

/// What is behind a unit: `x` with the window's new rows mixed in.
void run_unit(const Unit& unit, Activation activation, Workspace& workspace, Rows x) {
  const bool leaky = activation == Activation::leaky;
  const float* in = workspace.window.data();
  if (unit.depthwise) {
    unit.depthwise->run(in, x.rows, workspace.hidden.data());
    in = workspace.hidden.data();
  }
  unit.convolution.run(in, x.rows, workspace.mixed.data(), leaky ? Finish::leaky : Finish::store);
  if (!leaky) elu(workspace.mixed.data(), workspace.mixed.data(), x.rows * unit.channels());
  unit.mix.run(workspace.mixed.data(), x.rows, x.data, Finish::add);
}

}  // namespace

void Network::run_block(const float* in, int64_t frames, float* memory, Workspace& workspace, float* out) const {
  std::copy_n(in, frames * inputs_per_frame(), workspace.signal.begin());
  const auto& layers = layers_.all;
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto* resampler = std::get_if<Resampler>(&layers[i]);
    const auto* unit = std::get_if<Unit>(&layers[i]);
    const int64_t channels = resampler ? resampler->channels() : unit->channels();
    const int64_t past = (resampler ? resampler->history() : unit->history()) * channels;
    const int64_t rows = rows_[i] * frames;
    float* const window = workspace.window.data();
    std::copy_n(memory + offsets_[i], past, window);
    if (resampler && !resampler->activated)
      std::copy_n(workspace.signal.data(), rows * channels, window + past);
    else
      activate(workspace.signal.data(), window + past, rows * channels);
    std::copy_n(window + rows * channels, past, memory + offsets_[i]);
    if (unit) {
      run_unit(*unit, activation_, workspace, {workspace.signal.data(), rows});
      continue;
    }
    const bool last = i + 1 == layers.size();
    resampler->convolution.run(window, rows / resampler->convolution.rows_down(), last ? out : workspace.next.data(),
                               Finish::store);
    std::swap(workspace.signal, workspace.next);
  }
}

void Network::run(std::span<const float> in, std::span<float> memory, Workspace& workspace,
                  std::span<float> out) const {
  const int64_t frames = static_cast<int64_t>(in.size()) / inputs_per_frame();
  reserve(workspace, std::min(frames, kBlock));
  for (int64_t done = 0; done < frames; done += kBlock)
    run_block(in.data() + done * inputs_per_frame(), std::min(kBlock, frames - done), memory.data(), workspace,
              out.data() + done * outputs_per_frame());
}

template <typename Visit>
int64_t Network::walk_cone(int64_t frames, const Visit& visit) const {
  int64_t macs = 0;
  for (size_t i = 0; i < layers_.all.size(); ++i) {
    const Facts facts = facts_of(layers_.all[i]);
    const int64_t rows = std::min(needed_[i], rows_[i] * frames);
    const bool from_the_start = rows < needed_[i];
    const int64_t computed = i + 1 == layers_.all.size() ? 0 : rows - (from_the_start ? 0 : facts.history);
    visit(i, rows, from_the_start, computed);
    macs += computed / facts.down * facts.macs;
  }
  return macs;
}

int64_t Network::warm_up_macs(int64_t frames) const {
  return walk_cone(frames, [](size_t, int64_t, bool, int64_t) {});
}

void Network::warm_up(std::span<const float> in, std::span<float> memory, Workspace& workspace) const {
  const int64_t frames = std::min(static_cast<int64_t>(in.size()) / inputs_per_frame(), reach_);
  reserve(workspace, std::max<int64_t>(frames, 1));
  std::ranges::copy(in.last(frames * inputs_per_frame()), workspace.signal.begin());
  Rows signal{workspace.signal.data(), rows_in_ * frames};
  walk_cone(frames, [&](size_t i, int64_t rows, bool from_the_start, int64_t computed) {
    const auto* resampler = std::get_if<Resampler>(&layers_.all[i]);
    const auto* unit = std::get_if<Unit>(&layers_.all[i]);
    const int64_t channels = resampler ? resampler->channels() : unit->channels();
    const int64_t history = resampler ? resampler->history() : unit->history();
    signal.data += (signal.rows - rows) * channels;
    signal.rows = rows;
    const int64_t silent = from_the_start ? history : 0;  // rows before the stream
    float* const window = workspace.window.data();
    std::fill_n(window, silent * channels, 0.0F);
    if (resampler && !resampler->activated)
      std::copy_n(signal.data, rows * channels, window + silent * channels);
    else
      activate(signal.data, window + silent * channels, rows * channels);
    std::copy_n(window + (silent + rows - history) * channels, history * channels, memory.data() + offsets_[i]);
    if (computed == 0) return;
    if (unit) {
      signal.data += (rows - computed) * channels;
      signal.rows = computed;
      run_unit(*unit, activation_, workspace, signal);
      return;
    }
    const int64_t steps = computed / resampler->convolution.rows_down();
    resampler->convolution.run(window, steps, workspace.next.data(), Finish::store);
    std::swap(workspace.signal, workspace.next);
    signal = {workspace.signal.data(), resampler->convolution.rows_out(steps)};
  });
}

}  // namespace lightswitch::audio
