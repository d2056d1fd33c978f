#include <lightswitch/audio/codec.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lightswitch::audio {
namespace {

// Seconds, as Lyra V2 conceals.
constexpr double kHeld = 0.08, kFadeOut = 0.04, kFadeIn = 0.02;

int64_t checked_stages(const CodecModel& model, int64_t stages) {
  const int64_t most = model.quantizer().stages();
  if (stages < 1 || stages > most)
    throw OptionError("so many stages there are not",
                      {"", "stages", "1 … " + std::to_string(most), std::to_string(stages)});
  return stages;
}

int64_t whole_frames(size_t numbers, int64_t per_frame, const char* what) {
  const auto count = static_cast<int64_t>(numbers);
  if (count % per_frame != 0)
    throw TensorError("no whole frames",
                      {"", what, "a multiple of " + std::to_string(per_frame), std::to_string(count)});
  return count / per_frame;
}

}  // namespace

StreamEncoder::StreamEncoder(std::shared_ptr<const CodecModel> model, int64_t stages)
    : model_(std::move(model)), stages_(checked_stages(*model_, stages)), state_(model_->encoder().start()) {}

void StreamEncoder::set_stages(int64_t stages) {
  stages_ = checked_stages(*model_, stages);
}

std::span<const int32_t> StreamEncoder::encode(std::span<const float> samples) {
  const int64_t frames = whole_frames(samples.size(), model_->hop(), "samples");
  embeddings_.resize(frames * model_->features());
  indices_.resize(frames * stages_);
  model_->encoder().encode(samples, state_, embeddings_);
  model_->quantizer().encode(embeddings_, stages_, indices_);
  return indices_;
}

StreamDecoder::StreamDecoder(std::shared_ptr<const CodecModel> model, SwitchingDecoder::Options options,
                             Decoders decoders)
    : model_(std::move(model)), gated_(FrameGate::frames * model_->features()) {
  if (!model_->light() || decoders == Decoders::heavy) {
    heavy_ = model_->heavy().start();
    return;
  }
  switching_.emplace(*model_->light(), model_->heavy(), options);
  state_ = switching_->start();
}

void StreamDecoder::dequantize(std::span<const int32_t> indices, int64_t stages) {
  const int64_t frames = whole_frames(indices.size(), checked_stages(*model_, stages), "indices");
  embeddings_.resize(frames * model_->features());
  model_->quantizer().decode(indices, stages, embeddings_);
}

std::span<const float> StreamDecoder::decode(std::span<const int32_t> indices, int64_t stages, Path path) {
  dequantize(indices, stages);
  paths_.assign(embeddings_.size() / model_->features(), path);
  return run(paths_);
}

std::span<const float> StreamDecoder::decode(std::span<const int32_t> indices, int64_t stages,
                                             std::span<const Path> paths) {
  dequantize(indices, stages);
  if (paths.size() != embeddings_.size() / model_->features())
    throw TensorError("a path for each frame", {"", "paths", std::to_string(embeddings_.size() / model_->features()),
                                                std::to_string(paths.size())});
  return run(paths);
}

std::span<const float> StreamDecoder::decode(std::span<const int32_t> indices, int64_t stages, LiveRouter& router) {
  dequantize(indices, stages);
  score_embeddings();
  paths_.clear();
  for (const GateScore score : scores_) paths_.push_back(router.next(score));
  return run(paths_);
}

std::span<const GateScore> StreamDecoder::scores(std::span<const int32_t> indices, int64_t stages) {
  dequantize(indices, stages);
  score_embeddings();
  return scores_;
}

void StreamDecoder::score_embeddings() {
  if (!model_->gate()) throw UnsupportedError("the model has no gate", {"", "route", "a model with gate.*", "none"});
  const int64_t features = model_->features();
  scores_.clear();
  for (size_t start = 0; start < embeddings_.size(); start += features) {
    shift_gated(std::span(embeddings_).subspan(start, features));
    scores_.push_back(model_->gate()->score(gated_));
  }
}

void StreamDecoder::shift_gated(std::span<const float> embedding) {
  std::copy(gated_.begin() + static_cast<int64_t>(embedding.size()), gated_.end(), gated_.begin());
  std::ranges::copy(embedding, gated_.end() - static_cast<int64_t>(embedding.size()));
}

std::span<const float> StreamDecoder::run(std::span<const Path> paths) {
  const auto frames = static_cast<int64_t>(paths.size());
  samples_.resize(frames * model_->hop());
  if (switching_) {
    switching_->decode(embeddings_, paths, state_, samples_);
  } else {
    if (std::ranges::find(paths, Path::light) != paths.end())
      throw UnsupportedError(
          model_->light() ? "the stream was begun for the heavy decoder alone" : "the model has no light decoder",
          {"", "route", "heavy", "light"});
    model_->heavy().decode(embeddings_, heavy_, samples_);
    heavy_frames_ += frames;
  }
  fade(false, frames);
  return samples_;
}

std::span<const float> StreamDecoder::conceal(int64_t frames) {
  embeddings_.assign(frames * model_->features(), 0.0F);
  samples_.resize(frames * model_->hop());
  for (int64_t i = 0; i < std::min(frames, FrameGate::frames); ++i)
    shift_gated(std::span(embeddings_).first(model_->features()));
  if (switching_) {
    // The path that was heard goes on.
    paths_.assign(frames, state_.path.value_or(Path::light));
    switching_->decode(embeddings_, paths_, state_, samples_);
  } else {
    model_->heavy().decode(embeddings_, heavy_, samples_);
    heavy_frames_ += frames;
  }
  concealed_ += frames;
  fade(true, frames);
  return samples_;
}

void StreamDecoder::fade(bool lost, int64_t frames) {
  if (!lost) lost_samples_ = 0;
  if (!lost && level_ == 1) return;
  const auto rate = static_cast<double>(model_->sample_rate());
  for (float& sample : std::span(samples_).first(frames * model_->hop())) {
    if (lost && static_cast<double>(lost_samples_++) >= kHeld * rate)
      level_ = std::max(0.0, level_ - 1 / (kFadeOut * rate));
    if (!lost) level_ = std::min(1.0, level_ + 1 / (kFadeIn * rate));
    const double sine = std::sin(level_ * std::numbers::pi / 2);
    sample *= static_cast<float>(sine * sine);
  }
}

RoutingStats StreamDecoder::stats() const {
  const PathCost gate =
      model_->gate() ? PathCost{model_->gate()->macs_per_frame(), model_->gate()->parameters()} : PathCost{};
  if (switching_) return switching_->stats(state_, gate);
  RoutingStats stats;
  stats.heavy = heavy_frames_;
  stats.gate_cost = gate;
  if (model_->light()) stats.light_cost = {model_->light()->macs_per_frame(), model_->light()->parameters()};
  stats.heavy_cost = {model_->heavy().macs_per_frame(), model_->heavy().parameters()};
  return stats;
}

}  // namespace lightswitch::audio
