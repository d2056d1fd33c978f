// A stream allocates nothing once it runs. Every allocation of this program is counted.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <lightswitch/audio/codec.hpp>
#include <lightswitch/audio/quantizer.hpp>
#include <lightswitch/audio/soundstream.hpp>

#include <atomic>
#include <cstdlib>
#include <new>

#include "audio/codec_case.hpp"

namespace {

std::atomic<int64_t> allocations{0};

void* counted(size_t size, size_t alignment) {
  ++allocations;
  void* memory = nullptr;
  if (posix_memalign(&memory, std::max(alignment, sizeof(void*)), size) != 0) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t size) {
  return counted(size, alignof(std::max_align_t));
}
void* operator new(size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace lightswitch::audio {
namespace {

TEST(Allocations, NoneOnceAStreamRuns) {
  const ResidualQuantizer quantizer(at::randn({16, 256, 64}));
  for (const Layout& layout : {Layout::light(), Layout::heavy()}) {
    const SoundStreamEncoder encoder(layout, testing::random_encoder(layout));
    const SoundStreamDecoder decoder(layout, testing::random_decoder(layout));
    const auto sound = testing::noise(320);
    std::vector<float> embedding(64), samples(320);
    std::vector<int32_t> indices(16);
    const auto history = testing::noise(25 * 64);
    auto encoding = encoder.start(), decoding = decoder.start();
    const auto frame = [&] {
      encoder.encode(sound, encoding, embedding);
      quantizer.encode(embedding, 16, indices);
      quantizer.decode(indices, 16, embedding);
      decoder.decode(embedding, decoding, samples);
      decoder.warm_up(history, decoding);
    };
    const int64_t before = allocations;
    frame();
    EXPECT_GT(allocations, before);  // the counter counts
    const int64_t warm = allocations;
    for (int i = 0; i < 100; ++i) frame();
    EXPECT_EQ(allocations, warm);
  }
}

TEST(Allocations, NoneInALiveStreamWhateverItsPath) {
  const auto model = std::make_shared<const CodecModel>(testing::random_codec(true), "");
  StreamEncoder encoder(model, 16);
  StreamDecoder decoder(model);
  LiveRouter router({.on = 0, .off = 0, .heavy_share = 0.5});
  const auto sound = testing::noise(320);
  const auto frame = [&](int i) {
    const auto packet = encoder.encode(sound);
    i % 5 == 0 ? decoder.decode(packet, 16, router)
               : decoder.decode(packet, 16, i % 3 == 0 ? Path::heavy : Path::light);
    if (i % 17 == 0) decoder.conceal(1);
  };
  for (int i = 0; i < 30; ++i) frame(i);
  const int64_t warm = allocations;
  for (int i = 0; i < 300; ++i) frame(i);
  EXPECT_EQ(allocations, warm);
}

}  // namespace
}  // namespace lightswitch::audio
