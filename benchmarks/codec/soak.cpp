// What a live stream holds while it runs: an hour of sound, or as many minutes as the command line says, as fast as it
// goes. Prints resident memory and what it has grown since the first minute; exits with 1 where that is more than 1
// MiB.

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "audio/live_stream.hpp"
#include "core/peak_memory.hpp"

int main(int argc, char** argv) {
  using namespace lightswitch;
  const long minutes = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 60;
  if (minutes < 1) {
    std::fprintf(stderr, "usage: %s [MINUTES]\n", argv[0]);
    return 2;
  }
  audio::testing::LiveStream stream;
  constexpr int64_t kMost = 1 << 20;
  int64_t first = 0, growth = 0;
  for (long minute = 1; minute <= minutes; ++minute) {
    stream.run(audio::testing::LiveStream::kFramesPerMinute);
    const int64_t held = held_memory().value_or(0);
    if (minute == 1) first = held;
    growth = held - first;
    if (minute == 1 || minute % 5 == 0 || minute == minutes)
      std::printf("%3ld min: %.2f MiB resident, %+.2f MiB since the first minute, %.1f s of processor time\n", minute,
                  static_cast<double>(held) / (1 << 20), static_cast<double>(growth) / (1 << 20),
                  static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
    std::fflush(stdout);
  }
  return growth > kMost ? 1 : 0;
}
