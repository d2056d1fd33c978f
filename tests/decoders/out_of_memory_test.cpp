#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <lightswitch/decode.hpp>
#include <lightswitch/memory.hpp>

#include <cstdio>
#include <fstream>
#include <string>

#include "support/reference_case.hpp"

namespace lightswitch {
namespace {

/// Address space of this process in bytes; what RLIMIT_AS counts.
uint64_t address_space() {
  std::ifstream status("/proc/self/statm");
  uint64_t pages = 0;
  status >> pages;
  return pages * 4096;
}

/// Decodes 2048x2048 where there is room for 256 MiB more than what is there after a small decode.
int decode_in_little_room() {
  recycle_large_blocks();
  at::set_num_threads(1);
  auto request = testing::stored_case("taming").request;
  request.dtype = DType::fp32;
  const DecoderRegistry registry(builtin_decoder_families());
  const auto decoder = registry.make_decoder(registry.family("taming"), request);
  decode(*decoder, at::zeros({1, 4, 16, 16}));
  const auto latents = at::randn({1, 4, 256, 256}, at::detail::createCPUGenerator(1));
  const auto patch = decode(*decoder, latents.slice(2, 100, 140).slice(3, 100, 140));
  const rlimit limit{address_space() + (uint64_t(256) << 20), RLIM_INFINITY};
  if (setrlimit(RLIMIT_AS, &limit) != 0) return 2;
  int tried = 0;
  const TrySmaller smaller = [&](const MemoryError& error, const TileOptions& tiles) {
    std::fprintf(stderr, "%s; tiles of %d\n", error.what(), static_cast<int>(tiles.size));
    ++tried;
    return true;
  };
  const auto picture = decode(*decoder, latents, {.smaller = smaller});
  const auto difference = picture.slice(2, 940, 980).slice(3, 940, 980) - patch.slice(2, 140, 180).slice(3, 140, 180);
  return tried > 0 && difference.abs().max().item<double>() < 1e-4 ? 0 : 1;
}

TEST(OutOfMemoryDeathTest, ADecodeThatFindsNoMemoryGoesOnInSmallerTiles) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need address space of their own, which this test takes away";
#endif
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process of its own: the limit and the allocator stay there
  EXPECT_EXIT(std::exit(decode_in_little_room()), ::testing::ExitedWithCode(0), "memory ran out .* whole.*; tiles of ");
}

}  // namespace
}  // namespace lightswitch
