// Lyra V2's trained weights on real speech.

#include <gtest/gtest.h>
#include <lightswitch/audio/codec_model.hpp>
#include <lightswitch/audio/lyra.hpp>
#include <lightswitch/audio/sound_file.hpp>

#include <algorithm>
#include <filesystem>

#include "audio/codec_case.hpp"
#include "support/data.hpp"
#include "support/temporary_folder.hpp"

namespace lightswitch::audio {
namespace {

using lightswitch::testing::data_root;
using testing::largest_difference;

/// dB; both of one length.
double si_snr(std::span<const float> found, std::span<const float> expected) {
  double product = 0, power = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    product += double(found[i]) * expected[i];
    power += double(expected[i]) * expected[i];
  }
  double signal = 0, noise = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double target = product / power * expected[i];
    signal += target * target;
    noise += (found[i] - target) * (found[i] - target);
  }
  return 10 * std::log10(signal / noise);
}

std::vector<std::filesystem::path> some_speakers(const std::filesystem::path& folder, size_t count) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".flac") files.push_back(entry.path());
  std::ranges::sort(files);
  files.resize(std::min(files.size(), count));
  return files;
}

TEST(RealSpeech, LyrasWeightsCodeIt) {
  const auto weights = data_root() / "models" / "lyra_v1_3", speech = data_root() / "audio" / "librispeech";
  LIGHTSWITCH_REQUIRE_DATA(weights);
  LIGHTSWITCH_REQUIRE_DATA(speech);
  const auto model = CodecModel::open(weights);
  const int64_t hop = model.hop();
  const lightswitch::testing::TemporaryFolder folder;
  double sums[3] = {0, 0, 0};
  const auto files = some_speakers(speech, 8);
  for (const auto& file : files) {
    auto sound = read_mono(file, model.sample_rate());
    const int64_t frames = std::min<int64_t>(static_cast<int64_t>(sound.size()) / hop, 250);
    sound.resize(frames * hop);
    std::vector<float> embeddings(frames * 64), pieces(frames * 64);
    auto state = model.encoder().start();
    model.encoder().encode(sound, state, embeddings);
    state.reset();
    for (int64_t frame = 0; frame < frames; ++frame)
      model.encoder().encode(std::span(sound).subspan(frame * hop, hop), state,
                             std::span(pieces).subspan(frame * 64, 64));
    EXPECT_EQ(largest_difference(pieces, embeddings), 0);
    const int64_t rates[] = {3200, 6000, 9200};
    for (int rate = 0; rate < 3; ++rate) {
      const int64_t stages = lyra_stages(rates[rate]);
      std::vector<int32_t> indices(frames * stages);
      model.quantizer().encode(embeddings, stages, indices);
      write_lyra_packets(folder / "a.lyra", indices, stages);
      std::vector<float> summed(frames * 64), decoded(frames * hop);
      model.quantizer().decode(read_lyra_packets(folder / "a.lyra", stages).indices, stages, summed);
      auto decoding = model.heavy().start();
      model.heavy().decode(summed, decoding, decoded);
      sums[rate] += si_snr(decoded, sound) / static_cast<double>(files.size());
    }
  }
  for (int rate = 0; rate < 3; ++rate) RecordProperty("dB" + std::to_string(rate), std::to_string(sums[rate]));
  // Means of first five seconds; speakers differ from -1 to 10 dB at 9200 bit/s. A decoder that misread one layer would
  // be below 0 dB with all of them.
  EXPECT_GT(sums[0], 2);
  EXPECT_GT(sums[1], sums[0] + 1);
  EXPECT_GT(sums[2], sums[1] + 0.3);
}

}  // namespace
}  // namespace lightswitch::audio
