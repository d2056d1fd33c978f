#include "text/byte_pair_encoder.hpp"

#include <gtest/gtest.h>

#include <random>

namespace lightswitch::text {
namespace {

ByteTokens identity() {
  ByteTokens bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.inside[byte] = byte, bytes.last[byte] = 256 + byte;
  return bytes;
}

std::vector<int64_t> encode(const BytePairEncoder& encoder, std::string_view word) {
  std::vector<int64_t> ids;
  encoder.encode(word, ids);
  return ids;
}

/// The definition: while any pair merges, merge the leftmost pair of the lowest rank.
std::vector<int64_t> merge_by_definition(const MergeTable& merges, std::string_view word) {
  std::vector<int64_t> ids(word.begin(), word.end());
  if (!ids.empty()) ids.back() += 256;
  while (true) {
    const Merge* best = nullptr;
    size_t place = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      const Merge* merge = merges.find(static_cast<int32_t>(ids[i]), static_cast<int32_t>(ids[i + 1]));
      if (merge != nullptr && (best == nullptr || merge->rank < best->rank)) best = merge, place = i;
    }
    if (best == nullptr) return ids;
    ids[place] = best->result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

TEST(BytePairEncoder, WordsWithoutMergesAreTheirBytes) {
  const BytePairEncoder encoder(identity(), {});
  EXPECT_EQ(encode(encoder, ""), (std::vector<int64_t>{}));
  EXPECT_EQ(encode(encoder, "a"), (std::vector<int64_t>{256 + 'a'}));
  EXPECT_EQ(encode(encoder, "ab\xFF"), (std::vector<int64_t>{'a', 'b', 511}));
}

TEST(BytePairEncoder, LowerRanksAndLeftPlacesComeFirst) {
  MergeTable merges;
  EXPECT_TRUE(merges.add('b', 'c', 600));
  EXPECT_TRUE(merges.add('a', 'b', 601));
  EXPECT_TRUE(merges.add('a', 'a', 602));
  EXPECT_FALSE(merges.add('a', 'b', 603));
  const BytePairEncoder encoder(identity(), merges);
  EXPECT_EQ(encode(encoder, "abcd"), (std::vector<int64_t>{'a', 600, 256 + 'd'}));
  EXPECT_EQ(encode(encoder, "aaaaad"), (std::vector<int64_t>{602, 602, 'a', 256 + 'd'}));
  EXPECT_EQ(encode(encoder, "ab"), (std::vector<int64_t>{'a', 256 + 'b'}));  // the last byte is another token
}

TEST(BytePairEncoder, EqualsTheDefinitionOnRandomMerges) {
  std::mt19937 random(3);
  const auto below = [&random](int bound) { return static_cast<int32_t>(random() % static_cast<unsigned>(bound)); };
  int shorter = 0;
  for (int round = 0; round < 60; ++round) {
    // One merge in four takes any token, also one that only a later merge makes.
    std::vector<int32_t> tokens = {'a', 'b', 256 + 'a', 256 + 'b'};
    for (int i = 0; i < 25; ++i) tokens.push_back(600 + i);
    const auto token = [&](int made) { return tokens[static_cast<size_t>(below(below(4) == 0 ? 29 : 4 + made))]; };
    MergeTable merges;
    for (int i = 0; i < 25; ++i) {
      const int32_t left = token(i), right = token(i);
      merges.add(left, right, 600 + i);
    }
    const BytePairEncoder encoder(identity(), merges);
    for (int i = 0; i < 40; ++i) {
      std::string word;
      for (int length = below(30); length >= 0; --length) word.push_back(static_cast<char>('a' + below(2)));
      const auto expected = merge_by_definition(merges, word);
      ASSERT_EQ(encode(encoder, word), expected) << round << " " << word;
      shorter += expected.size() < word.size();
    }
  }
  EXPECT_GT(shorter, 1000);
}

}  // namespace
}  // namespace lightswitch::text
