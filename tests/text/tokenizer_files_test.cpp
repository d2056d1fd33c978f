#include "text/tokenizer_files.hpp"

#include <gtest/gtest.h>
#include <lightswitch/clip_tokenizer.hpp>
#include <lightswitch/error.hpp>

#include "support/errors.hpp"
#include "support/files.hpp"

namespace lightswitch {
namespace {

using namespace lightswitch::testing;

/// Loading must fail with a `Wanted` that names the file, the field, and what was found there.
template <typename Wanted>
void expect_refused(const TokenizerFolder& folder, const std::string& file, const std::string& field,
                    const std::string& found) {
  const Wanted error = expect_error<Wanted>([&] { folder.load(); });
  EXPECT_EQ(error.detail().file, (folder.path() / file).string()) << error.what();
  EXPECT_TRUE(contains(error.detail().field, field));
  EXPECT_TRUE(contains(error.detail().found, found));
  EXPECT_FALSE(error.detail().expected.empty()) << error.what();
}

struct BadVocabulary {
  const char *name, *json, *field, *found;
  friend void PrintTo(const BadVocabulary& bad, std::ostream* out) { *out << bad.name; }
};

class VocabularyJson : public ::testing::TestWithParam<BadVocabulary> {};

TEST_P(VocabularyJson, IsRefused) {
  const TokenizerFolder folder;
  folder.write("vocab.json", GetParam().json);
  folder.write("merges.txt", "#version: 0.2\n");
  expect_refused<FormatError>(folder, "vocab.json", GetParam().field, GetParam().found);
}

INSTANTIATE_TEST_SUITE_P(
    Tokenizer, VocabularyJson,
    ::testing::Values(BadVocabulary{"Empty", "", "", "parse error"},
                      BadVocabulary{"Html", "<!DOCTYPE html><html>", "", "parse error"},
                      BadVocabulary{"Truncated", R"({"a": 0, "b)", "", "parse error"},
                      BadVocabulary{"TrailingText", R"({"a": 0} x)", "", "parse error"},
                      BadVocabulary{"BadUtf8", "{\"\xFF\": 0}", "", "UTF-8"},
                      BadVocabulary{"List", R"(["a", "b"])", "", "a list"}, BadVocabulary{"Number", "7", "", "7"},
                      BadVocabulary{"Null", "null", "", "null"},
                      BadVocabulary{"TextId", R"({"a": "0"})", "\"a\"", "\"0\""},
                      BadVocabulary{"NullId", R"({"a": null})", "\"a\"", "null"},
                      BadVocabulary{"TrueId", R"({"a": true})", "\"a\"", "true"},
                      BadVocabulary{"ListId", R"({"a": [0]})", "\"a\"", "a list"},
                      BadVocabulary{"ObjectId", R"({"a": {"b": 0}})", "\"a\"", "an object"},
                      BadVocabulary{"FractionId", R"({"a": 0.5})", "\"a\"", "0.5"},
                      BadVocabulary{"NegativeId", R"({"a": -1})", "\"a\"", "-1"},
                      BadVocabulary{"HugeId", R"({"a": 4294967296})", "\"a\"", "4294967296"},
                      BadVocabulary{"HugerId", R"({"a": 123456789012345678901234567890})", "\"a\"", "1234567890"},
                      BadVocabulary{"GapInIds", R"({"a": 0, "b": 2})", "\"b\"", "2"},
                      BadVocabulary{"SharedId", R"({"a": 0, "b": 0, "c": 2})", "\"", "0, also of"},
                      BadVocabulary{"TokenTwice", R"({"a": 0, "b": 1, "a": 2})", "\"a\"", "2"},
                      BadVocabulary{"NoEnd", R"({"<|startoftext|>": 0})", "eos_token", "<|endoftext|>"},
                      BadVocabulary{"NoStart", R"({"<|endoftext|>": 0})", "bos_token", "<|startoftext|>"},
                      BadVocabulary{"NoTokens", "{}", "bos_token", "<|startoftext|>"}),
    [](const auto& test) { return test.param.name; });

TEST(TokenizerFiles, DeepJsonDoesNotOverflowTheStack) {
  const TokenizerFolder folder;
  folder.write("vocab.json", "{\"a\": " + std::string(1 << 20, '['));
  expect_refused<FormatError>(folder, "vocab.json", "\"a\"", "a list");
}

TEST(TokenizerFiles, LongTokensAreCutInMessages) {
  const TokenizerFolder folder;
  folder.write("vocab.json", "{\"" + std::string(100'000, 'x') + "\": -1}");
  const auto error = expect_error<FormatError>([&] { folder.load(); });
  EXPECT_LT(std::string(error.what()).size(), 400u);
}

struct BadMerges {
  const char *name, *text, *field, *found;
  friend void PrintTo(const BadMerges& bad, std::ostream* out) { *out << bad.name; }
};

class MergesTxt : public ::testing::TestWithParam<BadMerges> {};

TEST_P(MergesTxt, IsRefused) {
  const TokenizerFolder folder;
  folder.write("merges.txt", GetParam().text);
  expect_refused<FormatError>(folder, "merges.txt", GetParam().field, GetParam().found);
}

INSTANTIATE_TEST_SUITE_P(Tokenizer, MergesTxt,
                         ::testing::Values(BadMerges{"OneToken", "#version: 0.2\nt h\nth\n", "line 3", "\"th\""},
                                           BadMerges{"ThreeTokens", "#version: 0.2\nt h e\n", "line 2", "\"t h e\""},
                                           BadMerges{"TwoSpaces", "#version: 0.2\nt  h\n", "line 2", "\"t  h\""},
                                           BadMerges{"LeadingSpace", " h\n", "line 1", "\" h\""},
                                           BadMerges{"BlankLine", "#version: 0.2\n\nt h\n", "line 2", "\"\""},
                                           BadMerges{"Html", "<!DOCTYPE html>\n<html>\n", "line 1", "<!DOCTYPE"},
                                           BadMerges{"UnknownLeft", "#version\nqqq h\n", "line 2", "\"qqq\""},
                                           BadMerges{"UnknownRight", "#version\nt qqq\n", "line 2", "\"qqq\""},
                                           BadMerges{"UnknownResult", "#version\nz q\n", "line 2", "\"zq\""},
                                           BadMerges{"Twice", "#version\nt h\nt h\n", "line 3", "\"t\" \"h\""},
                                           BadMerges{"BadUtf8", "#version\n\xFF\xFE h\n", "line 2", "\uFFFD"},
                                           BadMerges{"LateVersion", "t h\n#version: 0.2\n", "line 2", "#version:"}),
                         [](const auto& test) { return test.param.name; });

TEST(TokenizerFiles, MergesFileAloneNeedsTheVersion) {
  const TokenizerFolder folder;
  for (const char* text : {"", "t h\n", "<!DOCTYPE html>\n"}) {
    folder.write("merges.txt", text);
    const auto error = expect_error<FormatError>([&] { load_clip_tokenizer(folder.path() / "merges.txt", 8); });
    EXPECT_EQ(error.detail().field, "line 1");
    EXPECT_TRUE(contains(error.detail().expected, "#version"));
  }
}

TEST(TokenizerFiles, MergesFileAloneNamesEveryTokenOnce) {
  const TokenizerFolder folder;
  folder.write("merges.txt", "#version\nt h\nth e\nh e\nt he\n");
  const auto error = expect_error<FormatError>([&] { load_clip_tokenizer(folder.path() / "merges.txt", 8); });
  EXPECT_EQ(error.detail().field, "line 5");
}

// CLIP uses the first 48894 merges of its published file and skips the rest.
TEST(TokenizerFiles, MergesFileAloneEndsWithClipsLastMerge) {
  const TokenizerFolder folder;
  std::string text = "#version\n", token = "a";
  for (int i = 0; i < 48894; ++i) {
    const std::string half = i % 256 == 0 ? "b" : "c";  // bounded lengths: a new chain every 256 merges
    if (i % 256 == 0)
      token =
          std::string(1, static_cast<char>('A' + i / 256 % 26)) + std::string(1, static_cast<char>('a' + i / 256 / 26));
    if (i % 256 == 0)
      text += token.substr(0, 1) + " " + token.substr(1) + "\n";
    else
      text += token + " " + half + "\n", token += half;
  }
  folder.write("merges.txt", text + "not a merge at all\n");
  const auto tokenizer = load_clip_tokenizer(folder.path() / "merges.txt", 3);
  EXPECT_EQ(tokenizer->encode(""), (std::vector<int64_t>{49406, 49407, 49407}));
}

TEST(TokenizerFiles, MissingFilesAreNamed) {
  for (const char* name : {"vocab.json", "merges.txt"}) {
    const TokenizerFolder folder;
    std::filesystem::remove(folder.path() / name);
    const auto error = expect_error<FileError>([&] { folder.load(); });
    EXPECT_EQ(error.detail().file, (folder.path() / name).string());
  }
  const auto error = expect_error<FileError>([] { load_clip_tokenizer("no/such/place", 8); });
  EXPECT_EQ(error.detail().file, "no/such/place");
}

TEST(TokenizerFiles, FoldersInPlaceOfFilesAndDanglingLinksAreNamed) {
  const TokenizerFolder folder;
  std::filesystem::remove(folder.path() / "vocab.json");
  std::filesystem::create_directory(folder.path() / "vocab.json");
  expect_error<FileError>([&] { folder.load(); });
  const TokenizerFolder linked;
  std::filesystem::create_symlink("nowhere", linked.path() / "tokenizer_config.json");
  const auto error = expect_error<FileError>([&] { linked.load(); });
  EXPECT_TRUE(contains(error.detail().file, "tokenizer_config.json"));
}

TEST(TokenizerFiles, AVocabularyOfGigabytesIsRefusedUnread) {
  const TokenizerFolder folder;
  std::filesystem::resize_file(folder.path() / "vocab.json", uintmax_t{1} << 36);  // sparse
  expect_refused<FormatError>(folder, "vocab.json", "", "68719476736 bytes");
}

struct BadConfiguration {
  const char *name, *file, *json, *field, *found;
  friend void PrintTo(const BadConfiguration& bad, std::ostream* out) { *out << bad.name; }
};

class SpecialTokenFiles : public ::testing::TestWithParam<BadConfiguration> {};

TEST_P(SpecialTokenFiles, AreRefused) {
  const TokenizerFolder folder;
  folder.write(GetParam().file, GetParam().json);
  expect_refused<FormatError>(folder, GetParam().file, GetParam().field, GetParam().found);
}

constexpr const char* kMap = "special_tokens_map.json";
constexpr const char* kConfig = "tokenizer_config.json";

INSTANTIATE_TEST_SUITE_P(
    Tokenizer, SpecialTokenFiles,
    ::testing::Values(BadConfiguration{"MapIsAList", kMap, "[]", "", "array"},
                      BadConfiguration{"PadIsNull", kMap, R"({"pad_token": null})", "pad_token", "null"},
                      BadConfiguration{"PadIsANumber", kConfig, R"({"pad_token": 7})", "pad_token", "number"},
                      BadConfiguration{"PadIsEmpty", kMap, R"({"pad_token": ""})", "pad_token", "\"\""},
                      BadConfiguration{"PadIsUnknown", kMap, R"({"pad_token": "<pad>"})", "pad_token", "<pad>"},
                      BadConfiguration{"StartIsUnknown", kConfig, R"({"bos_token": "<s>"})", "bos_token", "<s>"},
                      BadConfiguration{"EndWithoutContent", kMap, R"({"eos_token": {"normalized": true}})",
                                       "eos_token.content", "nothing"},
                      BadConfiguration{"FlagIsText", kMap, R"({"eos_token": {"content": "!", "normalized": "yes"}})",
                                       "eos_token.normalized", "yes"},
                      BadConfiguration{"AddedIsAList", kConfig, R"({"added_tokens_decoder": []})",
                                       "added_tokens_decoder", "array"},
                      BadConfiguration{"AddedIdIsText", kConfig, R"({"added_tokens_decoder": {"x": "!"}})",
                                       "added_tokens_decoder", "x"},
                      BadConfiguration{"AddedIdIsNegative", kConfig, R"({"added_tokens_decoder": {"-1": "!"}})",
                                       "added_tokens_decoder", "-1"},
                      BadConfiguration{"AddedIdIsHuge", kConfig, R"({"added_tokens_decoder": {"99999999999": "!"}})",
                                       "added_tokens_decoder", "99999999999"},
                      BadConfiguration{"AddedIdIsAnothers", kConfig, R"({"added_tokens_decoder": {"5": "!"}})",
                                       "added_tokens_decoder.5", "as 5"},
                      BadConfiguration{"AddedIdIsTaken", kConfig, R"({"added_tokens_decoder": {"5": "<new>"}})",
                                       "added_tokens_decoder.5", "<new>"}),
    [](const auto& test) { return test.param.name; });

TEST(TokenizerFiles, MalformedConfigurationIsRefused) {
  for (const char* name : {kMap, kConfig}) {
    const TokenizerFolder folder;
    folder.write(name, R"({"pad_token": )");
    const auto error = expect_error<FormatError>([&] { folder.load(); });
    EXPECT_EQ(error.detail().file, (folder.path() / name).string());
  }
}

TEST(TokenizerFiles, SpecialTokensBeyondClipsAreUnsupported) {
  const std::pair<const char*, const char*> files[] = {
      {kMap, R"({"mask_token": "!"})"},
      {kMap, R"({"additional_special_tokens": ["<a>"]})"},
      {kConfig, R"({"extra_special_tokens": {"x": "<a>"}})"},
      {kMap, R"({"pad_token": {"content": "!", "lstrip": true}})"},
      {"added_tokens.json", R"({"<new>": 754})"},
  };
  for (const auto& [name, json] : files) {
    const TokenizerFolder folder;
    folder.write(name, json);
    const auto error = expect_error<UnsupportedError>([&] { folder.load(); });
    EXPECT_EQ(error.detail().file, (folder.path() / name).string());
  }
  const TokenizerFolder folder;
  folder.write(kConfig, R"({"additional_special_tokens": [], "sep_token": null, "model_max_length": 1e30})");
  EXPECT_EQ(folder.load(5)->encode("").size(), 5u);
}

}  // namespace
}  // namespace lightswitch
