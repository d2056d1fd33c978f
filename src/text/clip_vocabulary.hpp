#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <memory_resource>
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
using TokenIds = std::pmr::unordered_map<std::string, int32_t, TextHash, std::equal_to<>>;

/// Tokens as CLIP's files write them: a printable character for every byte, "</w>" where a word ends.
struct ClipVocabulary {
  // Needed while loading alone: one arena is released at once, where 50,000 nodes would cost the next large allocation
  // 1 ms.
  std::unique_ptr<std::pmr::memory_resource> arena = std::make_unique<std::pmr::monotonic_buffer_resource>();
  TokenIds ids{arena.get()};
  MergeTable merges;
};

/// From vocab.json and merges.txt.
ClipVocabulary read_vocabulary_folder(const std::filesystem::path& folder);

/// From a merges file alone, which names every token in the order of its id.
ClipVocabulary read_merges_file(const std::filesystem::path& file);

/// @param unknown id for bytes that the vocabulary does not name.
ByteTokens byte_tokens(const TokenIds& ids, int32_t unknown);

}  // namespace lightswitch::text
