#include <gtest/gtest.h>
#include <lightswitch/clip_tokenizer.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "support/files.hpp"
#include "text/tokenizer_files.hpp"

// CLIP's own vocabulary is not part of this tree: it lies, with the prompts, in the data folder that is shared beside
// it.
namespace lightswitch {
namespace {

using namespace lightswitch::testing;

const std::filesystem::path kSource = LIGHTSWITCH_SOURCE_DIR;
const std::filesystem::path kSharedText = kSource / "../shared/data/text";

bool run(const std::string& command) {
  return std::system(command.c_str()) == 0;
}

std::string quoted(const std::filesystem::path& path) {
  std::string text = "'";  // a sum of literals and temporaries sets off a false warning of GCC 12
  return text.append(path.string()).append("'");
}

class ClipVocabulary : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto packed = kSharedText / "bpe_simple_vocab_16e6.txt.gz";
    if (!std::filesystem::exists(packed)) GTEST_SKIP() << "no shared data: " << packed;
    ASSERT_TRUE(run("gzip -dc " + quoted(packed) + " > " + quoted(merges_)));
    tokenizer_ = load_clip_tokenizer(merges_, 77);
  }

  const TemporaryFolder folder_;
  const std::filesystem::path merges_ = folder_ / "bpe_simple_vocab_16e6.txt";
  std::shared_ptr<const Tokenizer> tokenizer_;
};

/// 64-bit FNV-1a over the ids as little-endian int64, as reference.py computes it.
std::string digest(const std::vector<int64_t>& ids) {
  uint64_t value = 0xCBF29CE484222325;
  for (const int64_t id : ids)
    for (int shift = 0; shift < 64; shift += 8) value = (value ^ (id >> shift & 0xFF)) * 0x100000001B3;
  std::ostringstream text;
  text.fill('0');
  text.width(16);
  text << std::hex << value;
  return text.str();
}

// Examples of CLIP's README and model card.
TEST_F(ClipVocabulary, KnowsClipsIds) {
  EXPECT_EQ(tokenizer_->tokens("a photo of a cat"), (std::vector<int64_t>{320, 1125, 539, 320, 2368}));
  EXPECT_EQ(tokenizer_->tokens("a diagram, a dog"), (std::vector<int64_t>{320, 22697, 267, 320, 1929}));
  const auto encoded = tokenizer_->encode("a photo of a cat");
  EXPECT_EQ(encoded.size(), 77u);
  EXPECT_EQ(encoded.front(), 49406);
  EXPECT_EQ(encoded[6], 49407);
  EXPECT_EQ(encoded.back(), 49407);
}

TEST_F(ClipVocabulary, EqualsTheReferenceOnEveryPrompt) {
  std::ifstream prompts(kSharedText / "parti_prompts_odd.tsv");
  std::ifstream digests(tokenizer_fixtures() / "parti_prompts_clip.digests");
  std::string row, expected;
  std::getline(prompts, row);  // the header
  int count = 0;
  for (; std::getline(digests, expected); ++count) {
    ASSERT_TRUE(std::getline(prompts, row));
    const std::string prompt = row.substr(0, row.find('\t'));
    std::vector<int64_t> ids = tokenizer_->tokens(prompt);
    ids.insert(ids.begin(), 49406);
    ids.push_back(49407);
    EXPECT_EQ(digest(ids), expected) << prompt;
  }
  EXPECT_EQ(count, 816);
  EXPECT_FALSE(std::getline(prompts, row));
}

/// Compares with the transformers of the Python that LIGHTSWITCH_REFERENCE_PYTHON names, on random texts.
void compare_live(const std::filesystem::path& source) {
  const char* python = std::getenv("LIGHTSWITCH_REFERENCE_PYTHON");
  if (python == nullptr || *python == '\0')
    GTEST_SKIP() << "LIGHTSWITCH_REFERENCE_PYTHON does not name a Python with transformers";
  const TemporaryFolder folder;
  const auto output = folder / "sample.json";
  ASSERT_TRUE(run(quoted(python) + " " + quoted(kSource / "tests/text/reference.py") + " sample " + quoted(source) +
                  " " + quoted(output)));
  const auto expected = expected_ids(nlohmann::json::parse(read_file(output)));
  EXPECT_EQ(expected.size(), 4000u);
  expect_ids(*load_clip_tokenizer(source, 24), expected);
}

TEST_F(ClipVocabulary, EqualsTheLiveReference) {
  compare_live(merges_);
}

TEST(SmallVocabulary, EqualsTheLiveReference) {
  compare_live(tokenizer_fixtures());
}

TEST(ShippedModel, EqualsTheLiveReference) {
  const auto folder = kSource / "models/scenes/tokenizer";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no shipped model: " << folder;
  compare_live(folder);
}

}  // namespace
}  // namespace lightswitch
