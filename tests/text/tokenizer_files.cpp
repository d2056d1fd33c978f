#include "text/tokenizer_files.hpp"

#include <gtest/gtest.h>
#include <lightswitch/clip_tokenizer.hpp>

#include "support/files.hpp"

namespace lightswitch::testing {
namespace {

std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  return bytes;
}

std::string printable(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace

const std::filesystem::path& tokenizer_fixtures() {
  static const std::filesystem::path folder =
      std::filesystem::path(LIGHTSWITCH_SOURCE_DIR) / "tests/fixtures/tokenizer";
  return folder;
}

TokenizerFolder::TokenizerFolder() {
  for (const char* name : {"vocab.json", "merges.txt"}) write(name, read_file(tokenizer_fixtures() / name));
}

std::string TokenizerFolder::read(const std::string& name) const {
  return read_file(folder_ / name);
}

void TokenizerFolder::write(const std::string& name, const std::string& content) const {
  write_file(folder_ / name, content);
}

std::shared_ptr<const Tokenizer> TokenizerFolder::load(int64_t max_length) const {
  return load_clip_tokenizer(folder_.path(), max_length);
}

std::vector<ExpectedIds> expected_ids(const nlohmann::json& list) {
  std::vector<ExpectedIds> expected;
  for (const auto& entry : list) {
    const std::string text = entry.contains("text") ? entry["text"].get<std::string>() : from_hex(entry["bytes"]);
    expected.push_back({text, entry["tokens"], entry["encoded"]});
  }
  return expected;
}

void expect_ids(const Tokenizer& tokenizer, const std::vector<ExpectedIds>& expected) {
  ASSERT_FALSE(expected.empty());
  for (const ExpectedIds& entry : expected) {
    EXPECT_EQ(tokenizer.tokens(entry.text), entry.tokens) << printable(entry.text);
    EXPECT_EQ(tokenizer.encode(entry.text), entry.encoded) << printable(entry.text);
  }
}

}  // namespace lightswitch::testing
