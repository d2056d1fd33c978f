#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "text/clip_vocabulary.hpp"

namespace lightswitch::text {

/// A token that is looked for in the text as it stands, before words are.
struct SpecialToken {
  std::u32string content;  ///< normalised where `normalized` is set
  int32_t id = 0;
  bool normalized = false;  ///< looked for in the normalised text rather than the text as given
};

struct SpecialTokens {
  int32_t start = 0, end = 0, unknown = 0, padding = 0;
  std::vector<SpecialToken> in_text;

  /// The longest of them that `text` starts with, or null.
  const SpecialToken* match(std::u32string_view text, bool normalized) const;
};

/// CLIP's own: <|startoftext|> and <|endoftext|>, which also pads and stands for the unknown.
/// @param file named in errors.
SpecialTokens default_special_tokens(const TokenIds& ids, const std::filesystem::path& file);

/// As tokenizer_config.json and special_tokens_map.json say, CLIP's own where they are silent or missing.
SpecialTokens read_special_tokens(const std::filesystem::path& folder, const TokenIds& ids);

}  // namespace lightswitch::text
