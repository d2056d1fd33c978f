#pragma once

#include <lightswitch/audio/sound_file.hpp>
#include <lightswitch/weights.hpp>

#include <filesystem>

#include "audio/codec_case.hpp"
#include "support/weights.hpp"

namespace lightswitch::testing {

/// A codec of random weights as a file. @param light with light decoder and gate.
inline void write_codec(const std::filesystem::path& file, bool light) {
  const auto weights = audio::testing::random_codec(light);
  save_safetensors(file, tensors_of(*weights), weights->metadata());
}

/// Seeded noise as a sound. @param length samples of each channel.
inline void write_noise(const std::filesystem::path& file, const audio::SoundFormat& format, int64_t length,
                        uint64_t seed = 3) {
  auto samples = audio::testing::noise(length * format.channels, seed);
  for (float& sample : samples) sample *= 0.1F;
  audio::SoundWriter writer(file, format);
  writer.write(samples);
  writer.finish();
}

}  // namespace lightswitch::testing
