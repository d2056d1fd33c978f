#pragma once

#include <lightswitch/tokenizer.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/temporary_folder.hpp"

namespace lightswitch::testing {

/// tests/fixtures/tokenizer: a small vocabulary in CLIP's format, and what the reference makes of it.
const std::filesystem::path& tokenizer_fixtures();

/// A temporary folder with the small vocabulary, to add files to and to damage.
class TokenizerFolder {
 public:
  TokenizerFolder();
  const std::filesystem::path& path() const { return folder_.path(); }
  std::string read(const std::string& name) const;
  void write(const std::string& name, const std::string& content) const;
  std::shared_ptr<const Tokenizer> load(int64_t max_length = 24) const;

 private:
  TemporaryFolder folder_;
};

/// A text and the ids that the reference gives it, alone and cut, padded and between start and end.
struct ExpectedIds {
  std::string text;
  std::vector<int64_t> tokens, encoded;
};

/// From a list that tests/text/reference.py wrote.
std::vector<ExpectedIds> expected_ids(const nlohmann::json& list);

/// Every text must give exactly the ids expected.
void expect_ids(const Tokenizer& tokenizer, const std::vector<ExpectedIds>& expected);

}  // namespace lightswitch::testing
