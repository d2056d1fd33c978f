#include <gtest/gtest.h>
#include <lightswitch/clip_tokenizer.hpp>
#include <lightswitch/error.hpp>

#include <random>

#include "text/tokenizer_files.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

/// Seeded changes to bytes: flipped, cut, repeated, deleted, overwritten with what parsers trip over.
class Damage {
 public:
  explicit Damage(uint32_t seed) : random_(seed) {}

  size_t below(size_t bound) { return random_() % bound; }

  std::string apply(std::string bytes) {
    for (size_t changes = 1 + below(4); changes > 0; --changes) {
      if (bytes.empty()) return bytes;
      const size_t at = below(bytes.size()), length = std::min(1 + below(40), bytes.size() - at);
      switch (below(6)) {
        case 0:
          bytes[at] = static_cast<char>(below(256));
          break;
        case 1:
          bytes.resize(at);
          break;
        case 2:
          bytes.insert(at, bytes.substr(at, length));
          break;
        case 3:
          bytes.erase(at, length);
          break;
        case 4:
          bytes.insert(at, kTroublesome[below(std::size(kTroublesome))]);
          break;
        default:
          bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8));
      }
    }
    return bytes;
  }

 private:
  static constexpr const char* kTroublesome[] = {"\"", "\\u0000", "\\ud800", "{",     "}", "[", "\n",         "  ",
                                                 ",",  ":",       "-",       "1e999", "0", "9", "4294967296", "\xFF"};
  std::mt19937 random_;
};

struct Target {
  const char *name, *file;
  friend void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }
};

class DamagedFile : public ::testing::TestWithParam<Target> {};

/// Whatever happens to a file, it loads or a typed error names it; what loads yields ids in range.
TEST_P(DamagedFile, LoadsOrIsRefusedByName) {
  const std::string map = R"({"bos_token": {"content": "<|startoftext|>", "normalized": true}, "pad_token": "!"})";
  const std::string config = R"({"added_tokens_decoder": {"0": {"content": "!", "special": true},
    "754": {"content": "<New>", "lstrip": false}}, "pad_token": "!", "additional_special_tokens": []})";
  const TokenizerFolder folder;
  folder.write("special_tokens_map.json", map);
  if (std::string_view(GetParam().file) == "tokenizer_config.json") folder.write("tokenizer_config.json", config);
  const std::string whole = folder.read(GetParam().file), path = (folder.path() / GetParam().file).string();
  folder.load();

  int refused = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    folder.write(GetParam().file, Damage(seed).apply(whole));
    try {
      const auto tokenizer = folder.load();
      for (const int64_t id : tokenizer->encode("A lighthouse's beam! <|startoftext|> <new> \u00e9")) {
        EXPECT_GE(id, 0);
        EXPECT_LE(id, INT32_MAX);
      }
    } catch (const Error& error) {
      ++refused;
      // That a token is gone from the vocabulary shows in the merges.
      const bool in_vocabulary = std::string_view(GetParam().file) == "vocab.json";
      const std::string merges = (folder.path() / "merges.txt").string();
      EXPECT_TRUE(error.detail().file == path || (in_vocabulary && error.detail().file == merges)) << error.what();
    }
  }
  EXPECT_GT(refused, 30);
  EXPECT_LE(refused, 300);
}

INSTANTIATE_TEST_SUITE_P(Tokenizer, DamagedFile,
                         ::testing::Values(Target{"Vocabulary", "vocab.json"}, Target{"Merges", "merges.txt"},
                                           Target{"Map", "special_tokens_map.json"},
                                           Target{"Configuration", "tokenizer_config.json"}),
                         [](const auto& test) { return test.param.name; });

TEST(DamagedText, RandomBytesNeverCrashAndAreDeterministic) {
  const TokenizerFolder folder;
  const auto tokenizer = folder.load();
  Damage random(11);
  for (int round = 0; round < 3000; ++round) {
    std::string text(random.below(60), '\0');
    for (char& byte : text) byte = static_cast<char>(random.below(round % 2 == 0 ? 256 : 128));
    const auto ids = tokenizer->encode(text);
    ASSERT_EQ(ids.size(), 24u);
    ASSERT_EQ(ids, tokenizer->encode(text));
    for (const int64_t id : ids) ASSERT_TRUE(id >= 0 && id < 754);
  }
}

}  // namespace
}  // namespace lightswitch
