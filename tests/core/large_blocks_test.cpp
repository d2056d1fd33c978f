#include "core/large_blocks.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

namespace lightswitch {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

TEST(LargeBlocks, AFreedBlockIsUsedAgain) {
  LargeBlocks blocks;
  void* const first = blocks.take(8 * kMiB);
  std::memset(first, 7, 8 * kMiB);
  EXPECT_TRUE(blocks.give_back(first));
  EXPECT_EQ(blocks.usage().kept, 8 * kMiB);
  EXPECT_EQ(blocks.take(8 * kMiB - kMiB / 8), first);  // of the rest nobody could make use
  EXPECT_EQ(blocks.usage().mapped, 8 * kMiB);
  EXPECT_EQ(blocks.usage().kept, 0);
}

TEST(LargeBlocks, ALargerBlockIsCutAndGrowsTogetherAgain) {
  LargeBlocks blocks;
  auto* const whole = static_cast<char*>(blocks.take(32 * kMiB));
  blocks.give_back(whole);
  void* const first = blocks.take(8 * kMiB);
  void* const second = blocks.take(20 * kMiB);
  EXPECT_EQ(first, whole);
  EXPECT_EQ(second, whole + 8 * kMiB);
  EXPECT_EQ(blocks.usage().kept, 4 * kMiB);
  EXPECT_EQ(blocks.usage().live, 28 * kMiB);
  std::memset(second, 3, 20 * kMiB);
  blocks.give_back(first);
  blocks.give_back(second);
  EXPECT_EQ(blocks.take(32 * kMiB), whole);
  EXPECT_EQ(blocks.usage().mapped, 32 * kMiB);
}

TEST(LargeBlocks, NoMoreIsUnmappedThanANewBlockNeeds) {
  LargeBlocks blocks;
  auto* const around = static_cast<char*>(blocks.take(60 * kMiB));
  blocks.give_back(around);
  void* const before = blocks.take(20 * kMiB);
  void* const middle = blocks.take(20 * kMiB);
  void* const after = blocks.take(20 * kMiB);
  blocks.give_back(before);
  blocks.give_back(after);
  auto* const larger = static_cast<char*>(blocks.take(30 * kMiB));
  std::memset(larger, 1, 30 * kMiB);
  std::memset(middle, 2, 20 * kMiB);
  EXPECT_EQ(blocks.usage().kept, 10 * kMiB);  // of 40: with the two in use, 60 as before
  EXPECT_EQ(blocks.usage().most_live, 60 * kMiB);
  auto* const last = static_cast<char*>(blocks.take(10 * kMiB));
  std::memset(last, 3, 10 * kMiB);
  EXPECT_EQ(blocks.usage().kept, 0);
  EXPECT_EQ(static_cast<char*>(middle)[20 * kMiB - 1], 2);
}

TEST(LargeBlocks, PagesOfSmallerBlocksMakeALargerOne) {
  LargeBlocks blocks;
  for (int pass = 0; pass < 200; ++pass) {
    std::vector<char*> pieces;
    for (int i = 0; i < 6; ++i) {
      pieces.push_back(static_cast<char*>(blocks.take(10 * kMiB)));
      std::memset(pieces.back(), i, 10 * kMiB);
    }
    for (const int i : {0, 2, 4}) blocks.give_back(pieces[i]);
    auto* const larger = static_cast<char*>(blocks.take(25 * kMiB));  // of 30 in three pieces
    std::memset(larger, 9, 25 * kMiB);
    for (const int i : {1, 3, 5}) EXPECT_EQ(pieces[i][10 * kMiB - 1], i);
    EXPECT_EQ(blocks.usage().kept, 5 * kMiB);
    blocks.give_back(larger);
    for (const int i : {1, 3, 5}) blocks.give_back(pieces[i]);
    ASSERT_EQ(blocks.usage().mapped, 60 * kMiB) << pass;
    ASSERT_EQ(blocks.usage().most_live, 60 * kMiB);
  }
}

TEST(LargeBlocks, TheSmallestThatFitsIsTaken) {
  LargeBlocks blocks;
  void* const large = blocks.take(40 * kMiB);
  void* const small = blocks.take(36 * kMiB);
  blocks.give_back(small);
  blocks.give_back(large);
  EXPECT_EQ(blocks.take(34 * kMiB), small);
}

TEST(LargeBlocks, NoMoreIsHeldThanWasOnceInUse) {
  LargeBlocks blocks;
  // The stages of a decoder: the tensors grow, two are alive at a time.
  for (int pass = 0; pass < 3; ++pass) {
    void* last = blocks.take(2 * kMiB);
    for (int64_t size = 4; size <= 64; size *= 2) {
      void* const next = blocks.take(static_cast<size_t>(size * kMiB));
      blocks.give_back(last);
      last = next;
      const LargeBlockUsage usage = blocks.usage();
      EXPECT_LE(usage.live + usage.kept, usage.most_live);
    }
    blocks.give_back(last);
  }
  EXPECT_EQ(blocks.usage().most_live, 96 * kMiB);
}

TEST(LargeBlocks, TheSecondPassOfTheSameSizesAsksForNothing) {
  LargeBlocks blocks;
  const auto pass = [&] {
    void* const a = blocks.take(16 * kMiB);
    void* const b = blocks.take(24 * kMiB);
    blocks.give_back(a);
    blocks.give_back(b);
  };
  pass();
  const int64_t mapped = blocks.usage().mapped;
  pass();
  EXPECT_EQ(blocks.usage().mapped, mapped);
}

TEST(LargeBlocks, ASecondPassOfADecoderAsksForNothing) {
  LargeBlocks blocks;
  // A tiny decoder at 512 pixels: three convolutions a stage, fourfold growth, then the picture in other types.
  const auto pass = [&] {
    void* x = blocks.take(2 * kMiB);
    for (int64_t size = 2; size <= 32; size *= 4) {
      const auto bytes = static_cast<size_t>(size * kMiB);
      for (int block = 0; block < 3; ++block) {
        void* const once = blocks.take(bytes);
        void* const twice = blocks.take(bytes);
        blocks.give_back(once);
        blocks.give_back(twice);
      }
      void* const next = blocks.take(size == 32 ? 3 * kMiB / 2 : 4 * bytes);
      blocks.give_back(x);
      x = next;
    }
    void* const picture = blocks.take(3 * kMiB);
    blocks.give_back(x);
    blocks.give_back(picture);
  };
  pass();
  pass();
  const int64_t mapped = blocks.usage().mapped;
  pass();
  EXPECT_EQ(blocks.usage().mapped, mapped);
}

TEST(LargeBlocks, ReleaseKeepsWhatIsInUse) {
  LargeBlocks blocks;
  auto* const used = static_cast<char*>(blocks.take(4 * kMiB));
  used[0] = 1;
  blocks.give_back(blocks.take(4 * kMiB));
  blocks.release();
  EXPECT_EQ(blocks.usage().kept, 0);
  EXPECT_EQ(blocks.usage().live, 4 * kMiB);
  used[4 * kMiB - 1] = 2;
  EXPECT_TRUE(blocks.give_back(used));
}

TEST(LargeBlocks, StrangersAreNotTaken) {
  LargeBlocks blocks;
  int stranger = 0;
  EXPECT_FALSE(blocks.give_back(&stranger));
  EXPECT_THROW(blocks.take(SIZE_MAX), std::bad_alloc);
  EXPECT_THROW(blocks.take(size_t{1} << 60), std::bad_alloc);
  EXPECT_EQ(blocks.usage().live, 0);
}

TEST(LargeBlocks, ThreadsNeverShareABlock) {
  LargeBlocks blocks;
  std::atomic<int> torn = 0;
  std::vector<std::jthread> threads;
  for (char mark = 1; mark <= 4; ++mark) {
    threads.emplace_back([&, mark] {
      for (int round = 0; round < 50; ++round) {
        const size_t size = static_cast<size_t>(kMiB + (round % 3) * kMiB);
        auto* const block = static_cast<char*>(blocks.take(size));
        std::memset(block, mark, size);
        for (size_t i = 0; i < size; i += 4096) torn += block[i] != mark;
        blocks.give_back(block);
      }
    });
  }
  threads.clear();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(blocks.usage().live, 0);
}

}  // namespace
}  // namespace lightswitch
