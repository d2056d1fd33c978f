#include <gtest/gtest.h>
#include <lightswitch/clip_tokenizer.hpp>
#include <lightswitch/error.hpp>

#include <chrono>
#include <thread>

#include "support/errors.hpp"
#include "support/files.hpp"
#include "text/tokenizer_files.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;
using Ids = std::vector<int64_t>;

// The small vocabulary: 512 byte tokens, 240 merges, start, end.
constexpr int64_t kStart = 752, kEnd = 753;

nlohmann::json stored_cases() {
  return nlohmann::json::parse(read_file(tokenizer_fixtures() / "expected.json"));
}

class StoredConfiguration : public ::testing::TestWithParam<std::string> {};

TEST_P(StoredConfiguration, GivesTheReferencesIds) {
  const auto stored = stored_cases();
  for (const auto& entry : stored["cases"]) {
    if (entry["name"] != GetParam()) continue;
    const TokenizerFolder folder;
    for (const auto& [name, content] : entry["files"].items()) folder.write(name, content.dump());
    const auto expected = expected_ids(entry["texts"]);
    ASSERT_GT(expected.size(), 50u);
    expect_ids(*folder.load(stored["max_length"]), expected);
    return;
  }
  FAIL() << "no such case";
}

INSTANTIATE_TEST_SUITE_P(ClipTokenizer, StoredConfiguration,
                         ::testing::Values("plain", "stable diffusion 1", "stable diffusion 2", "added tokens"),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& letter : name)
                             if (letter == ' ') letter = '_';
                           return name;
                         });

TEST(ClipTokenizer, MergesFileAloneGivesTheFoldersIds) {
  const auto tokenizer = load_clip_tokenizer(tokenizer_fixtures() / "merges.txt", 24);
  const auto stored = stored_cases();
  expect_ids(*tokenizer, expected_ids(stored["cases"][0]["texts"]));
}

TEST(ClipTokenizer, EncodesStartTextEndAndPadding) {
  const TokenizerFolder folder;
  const auto tokenizer = folder.load(6);
  EXPECT_EQ(tokenizer->max_length(), 6);
  EXPECT_EQ(tokenizer->encode(""), (Ids{kStart, kEnd, kEnd, kEnd, kEnd, kEnd}));
  const Ids words = tokenizer->tokens("the harbour");
  ASSERT_GE(words.size(), 2u);
  const Ids encoded = tokenizer->encode("the harbour");
  ASSERT_EQ(encoded.size(), 6u);
  EXPECT_EQ(encoded.front(), kStart);
  for (size_t i = 0; i < std::min<size_t>(words.size(), 4); ++i) EXPECT_EQ(encoded[i + 1], words[i]);
}

TEST(ClipTokenizer, CutsLongTextsBeforeTheEndToken) {
  const TokenizerFolder folder;
  const auto tokenizer = folder.load(5);
  const std::string text = "a wooden house in the snow with a red umbrella";
  const Ids words = tokenizer->tokens(text);
  ASSERT_GT(words.size(), 3u);
  EXPECT_EQ(tokenizer->encode(text), (Ids{kStart, words[0], words[1], words[2], kEnd}));
  EXPECT_EQ(folder.load(2)->encode(text), (Ids{kStart, kEnd}));
}

TEST(ClipTokenizer, NeedsRoomForStartAndEnd) {
  const TokenizerFolder folder;
  for (const int64_t length : {int64_t{1}, int64_t{0}, int64_t{-77}, INT64_MIN}) {
    const auto error = expect_error<OptionError>([&] { folder.load(length); });
    EXPECT_EQ(error.detail().field, "max_length");
    EXPECT_EQ(error.detail().found, std::to_string(length));
  }
}

TEST(ClipTokenizer, BytesOutsideTheVocabularyBecomeTheUnknownToken) {
  const TokenizerFolder folder;
  folder.write("vocab.json", R"({"a": 0, "a</w>": 1, "<|startoftext|>": 2, "<|endoftext|>": 3})");
  folder.write("merges.txt", "#version: 0.2\n");
  EXPECT_EQ(folder.load()->tokens("aa b a"), (Ids{0, 1, 3, 1}));
  folder.write("special_tokens_map.json", R"({"unk_token": "a"})");
  EXPECT_EQ(folder.load()->tokens("b b"), (Ids{0, 0}));
}

TEST(ClipTokenizer, AcceptsWindowsLineEndingsAndAMissingVersionLine) {
  const TokenizerFolder folder;
  const auto expected = folder.load()->tokens("a lighthouse on a rocky shore");
  std::string merges = folder.read("merges.txt");
  merges.erase(0, merges.find('\n') + 1);
  folder.write("merges.txt", merges);
  EXPECT_EQ(folder.load()->tokens("a lighthouse on a rocky shore"), expected);
  for (size_t at = 0; (at = merges.find('\n', at)) != std::string::npos; at += 2) merges.insert(at, 1, '\r');
  folder.write("merges.txt", merges);
  EXPECT_EQ(folder.load()->tokens("a lighthouse on a rocky shore"), expected);
}

TEST(ClipTokenizer, ThreadsShareOne) {
  const TokenizerFolder folder;
  const auto tokenizer = folder.load();
  const auto stored = stored_cases();
  const auto expected = expected_ids(stored["cases"][0]["texts"]);
  std::vector<size_t> wrong(4);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < wrong.size(); ++i)
      threads.emplace_back([&, i] {
        for (const auto& entry : expected) wrong[i] += tokenizer->encode(entry.text) != entry.encoded;
      });
  }
  EXPECT_EQ(wrong, std::vector<size_t>(4));
}

// A quadratic merge of one long word would take hours here.
TEST(ClipTokenizer, AWordOfAMillionLettersTakesSeconds) {
  const TokenizerFolder folder;
  const auto tokenizer = folder.load();
  std::string word;
  while (word.size() < 1'000'000) word += "lighthousephotographer";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_GT(tokenizer->tokens(word).size(), 10'000u);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

}  // namespace
}  // namespace lightswitch
