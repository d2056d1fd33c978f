#include "audio/heard_gain.hpp"

#include <ATen/ATen.h>
#include <lightswitch/error.hpp>

#include "audio/log_mel.hpp"

namespace lightswitch::audio {
namespace {

const std::shared_ptr<const CodecModel>& checked(const std::shared_ptr<const CodecModel>& model) {
  if (!model->light()) throw UnsupportedError("the model has no light decoder", {"", "route hints", "light.*", "none"});
  if (model->sample_rate() != 16000 || model->hop() > kMelWindow)
    throw UnsupportedError("what is gained is measured at 16 kHz",
                           {"", "route hints", "16000 Hz, frames of at most " + std::to_string(kMelWindow),
                            std::to_string(model->sample_rate()) + " Hz, frames of " + std::to_string(model->hop())});
  return model;
}

at::Tensor mel_of(std::span<const float> sound, int64_t hop) {
  const at::Tensor numbers = at::from_blob(const_cast<float*>(sound.data()), {static_cast<int64_t>(sound.size())});
  return log_mel(numbers.to(at::kDouble), hop);
}

}  // namespace

HeardGain::HeardGain(const std::shared_ptr<const CodecModel>& model)
    : hop_(checked(model)->hop()),
      margin_((kMelWindow - hop_) / 2),
      light_(model),
      heavy_(model, {}, StreamDecoder::Decoders::heavy),
      original_(margin_),
      by_light_(margin_),
      by_heavy_(margin_) {}

void HeardGain::push(std::span<const float> samples, std::span<const int32_t> indices, int64_t stages) {
  if (samples.empty()) return;
  const auto append = [](std::vector<float>& to, std::span<const float> made) {
    to.insert(to.end(), made.begin(), made.end());
  };
  append(original_, samples);
  append(by_light_, light_.decode(indices, stages, Path::light));
  append(by_heavy_, heavy_.decode(indices, stages, Path::heavy));
  measure();
}

std::vector<GateScore> HeardGain::finish() {
  const int64_t rest = kMelWindow - hop_ - margin_;
  for (std::vector<float>* sound : {&original_, &by_light_, &by_heavy_}) sound->insert(sound->end(), rest, 0.0F);
  measure();
  return std::move(gains_);
}

void HeardGain::measure() {
  const auto length = static_cast<int64_t>(original_.size());
  if (length < kMelWindow) return;
  const at::Tensor original = mel_of(original_, hop_);
  const auto distance = [&](const std::vector<float>& sound) { return (mel_of(sound, hop_) - original).abs().mean(1); };
  const auto found = to_gate_scores(distance(by_light_) - distance(by_heavy_));
  gains_.insert(gains_.end(), found.begin(), found.end());
  const int64_t done = static_cast<int64_t>(found.size()) * hop_;
  for (std::vector<float>* sound : {&original_, &by_light_, &by_heavy_})
    sound->erase(sound->begin(), sound->begin() + done);
}

}  // namespace lightswitch::audio
