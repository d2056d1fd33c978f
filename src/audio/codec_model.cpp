#include <ATen/ATen.h>
#include <lightswitch/audio/codec_model.hpp>
#include <lightswitch/audio/lyra.hpp>
#include <lightswitch/error.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>

#include "core/sha256.hpp"

namespace lightswitch::audio {
namespace {

constexpr const char* kFormat = "lightswitch.soundstream";
constexpr std::array<const char*, 3> kLyraFiles{"lyragan.tflite", "quantizer.tflite", "soundstream_encoder.tflite"};
constexpr int64_t kMostSamples = 1 << 20;

const WeightSource& checked(const WeightSource& weights) {
  const auto text = [&](const char* key) {
    const auto entry = weights.metadata().find(key);
    return entry == weights.metadata().end() ? std::string() : entry->second;
  };
  if (text("format") != kFormat)
    throw FormatError("not a model of the codec", {weights.origin(), "format", kFormat, "\"" + text("format") + "\""});
  if (text("version") != "1")
    throw FormatError("unsupported version", {weights.origin(), "version", "1", "\"" + text("version") + "\""});
  for (const TensorInfo& info : weights.tensors()) {
    const std::string part = info.name.substr(0, info.name.find('.'));
    const bool known =
        part == "encoder" || part == "heavy" || part == "light" || part == "gate" || info.name == "quantizer.codebooks";
    if (!known)
      throw WeightsError("tensors do not fit the codec: 1 unexpected: " + info.name, {weights.origin(), "", "", ""});
  }
  return weights;
}

int64_t read_sample_rate(const WeightSource& weights) {
  const auto entry = weights.metadata().find("sample_rate");
  const std::string text = entry == weights.metadata().end() ? "" : entry->second;
  int64_t rate = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), rate);
  if (fault != std::errc() || end != text.data() + text.size() || rate < 1 || rate > kMostSamples)
    throw FormatError("unusable metadata",
                      {weights.origin(), "sample_rate", "1 … " + std::to_string(kMostSamples), "\"" + text + "\""});
  return rate;
}

bool has(const WeightSource& weights, const std::string& prefix) {
  return std::ranges::any_of(weights.tensors(), [&](const TensorInfo& info) { return info.name.starts_with(prefix); });
}

Layout layout_of(const WeightSource& weights, const std::string& part) {
  try {
    return Layout::from_metadata(weights.metadata(), part);
  } catch (const OptionError& error) {
    auto detail = error.detail();
    detail.file = weights.origin();
    throw FormatError("unusable layout", detail);
  }
}

/// The largest magnitude that embeddings are expected to have: four times that of the coarsest codebook.
float range_of(const at::Tensor& codebooks) {
  return 4 * codebooks[0].abs().max().to(at::kFloat).item<float>();
}

void require_equal(const WeightSource& weights, const std::string& field, int64_t found, int64_t expected) {
  if (found != expected)
    throw FormatError("parts of different codecs",
                      {weights.origin(), field, std::to_string(expected), std::to_string(found)});
}

}  // namespace

CodecModel::CodecModel(std::shared_ptr<const WeightSource> weights, std::string identity)
    : sample_rate_(read_sample_rate(checked(*weights))),
      identity_(std::move(identity)),
      encoder_(layout_of(*weights, "encoder"), weights, "encoder."),
      quantizer_(weights->read("quantizer.codebooks")),
      heavy_(layout_of(*weights, "heavy"), weights, "heavy.") {
  if (has(*weights, "light.")) light_.emplace(layout_of(*weights, "light"), weights, "light.");
  if (has(*weights, "gate."))
    gate_.emplace(features(), range_of(weights->read("quantizer.codebooks")), weights, "gate.");
  require_equal(*weights, "quantizer.codebooks", quantizer_.features(), features());
  for (const auto& [name, decoder] : {std::pair{"heavy", &heavy_}, {"light", light_ ? &*light_ : &heavy_}}) {
    require_equal(*weights, std::string(name) + ".features", decoder->layout().features, features());
    require_equal(*weights, std::string(name) + ".hop", decoder->layout().hop(), hop());
  }
}

CodecModel CodecModel::open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::exists(path / kLyraFiles[0], ignored)) {
    std::string digests;
    for (const char* name : kLyraFiles) digests += sha256_file(path / name);
    return CodecModel(open_lyra(path), sha256(digests));
  }
  const auto file = find_weight_file(path);
  return CodecModel(open_weights(file), sha256_file(file));
}

double CodecModel::bits_per_second(int64_t stages) const {
  return static_cast<double>(stages * quantizer_.bits()) * static_cast<double>(sample_rate_) /
         static_cast<double>(hop());
}

int64_t CodecModel::stages_for(int64_t rate, int64_t channels) const {
  const double stage = bits_per_second(1) * static_cast<double>(channels);
  const int64_t most = quantizer_.stages();
  if (rate == 0) return most;
  const double stages = static_cast<double>(rate) / stage;
  const int64_t nearest = std::clamp<int64_t>(std::llround(stages), 1, most);
  if (std::abs(stages - static_cast<double>(nearest)) > 1e-9)
    throw OptionError("rate that the model does not have",
                      {"", "bitrate",
                       "a multiple of " + std::to_string(std::llround(stage)) + " up to " +
                           std::to_string(std::llround(stage * static_cast<double>(most))) + ", such as " +
                           std::to_string(std::llround(stage * static_cast<double>(nearest))),
                       std::to_string(rate)});
  return nearest;
}

}  // namespace lightswitch::audio
