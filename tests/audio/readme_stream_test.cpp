// The README's live stream, as it stands there (CMake cuts it out), on the codec that ships.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <span>

void talk(const std::function<bool(std::span<float>)>& microphone,
          const std::function<void(std::span<const float>)>& loudspeaker);

namespace {

TEST(Readme, ALiveStreamComesBack) {
  std::filesystem::current_path(LIGHTSWITCH_SOURCE_DIR);  // the example's model has a relative path
  constexpr int kFrames = 100;
  int spoken = 0;
  size_t heard = 0;
  double power = 0;
  talk(
      [&](std::span<float> samples) {
        for (size_t i = 0; i < samples.size(); ++i)
          samples[i] = 0.1F * std::sin(0.05F * static_cast<float>(spoken * samples.size() + i));
        return spoken++ < kFrames;
      },
      [&](std::span<const float> samples) {
        heard += samples.size();
        for (const float sample : samples) power += double(sample) * sample;
      });
  EXPECT_EQ(heard, 320U * kFrames);
  EXPECT_GT(power / static_cast<double>(heard), 1e-4) << "silence";
}

}  // namespace
