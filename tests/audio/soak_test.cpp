// Three minutes of a live stream hold no more memory than half a minute. benchmarks/codec/soak.cpp runs the hour.

#include <gtest/gtest.h>

#include "audio/live_stream.hpp"
#include "core/peak_memory.hpp"

namespace lightswitch::audio {
namespace {

TEST(Soak, ALiveStreamDoesNotGrow) {
  testing::LiveStream stream;
  const auto held_after = [&](int64_t frames) {
    stream.run(frames);
    return held_memory();
  };
  const auto early = held_after(testing::LiveStream::kFramesPerMinute / 2);
  if (!early) GTEST_SKIP() << "the kernel does not tell";
  const auto late = held_after(testing::LiveStream::kFramesPerMinute * 5 / 2);
  EXPECT_LE(*late - *early, 128 << 10) << "bytes";
  EXPECT_GT(stream.stats().heavy, 0);
  EXPECT_GT(stream.stats().light, 0);
}

}  // namespace
}  // namespace lightswitch::audio
