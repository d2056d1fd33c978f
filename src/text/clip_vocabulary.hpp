#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "text/byte_pair_encoder.hpp"

namespace lightswitch::text {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

/// Token to id. Ids are 0 … size - 1, each used once.
using TokenIds = std::unordered_map<std::string, int32_t, TextHash, std::equal_to<>>;

/// Tokens as CLIP's files write them: a printable character for every byte, "</w>" where a word ends.
struct ClipVocabulary {
  TokenIds ids;
  MergeTable merges;
};

/// From vocab.json and merges.txt.
ClipVocabulary read_vocabulary_folder(const std::filesystem::path& folder);

/// From a merges file alone, which names every token in the order of its id.
ClipVocabulary read_merges_file(const std::filesystem::path& file);

/// @param unknown id for bytes that the vocabulary does not name.
ByteTokens byte_tokens(const TokenIds& ids, int32_t unknown);

}  // namespace lightswitch::text
