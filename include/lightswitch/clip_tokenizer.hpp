#pragma once

#include <lightswitch/tokenizer.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>

namespace lightswitch {

/// CLIP's byte-level BPE, equal to transformers' CLIPTokenizer: NFC, white space collapsed, lower case, byte pairs
/// merged by rank, special tokens found in the text.
///
/// @param source a folder with `vocab.json` and `merges.txt` (`tokenizer_config.json` and `special_tokens_map.json` are
/// read where
///   they exist: they name the special tokens, the one that pads among them), or a merges file alone whose first line
///   holds
///   "#version". A merges file's vocabulary follows from its lines as in CLIP's own code: bytes, bytes that end a word,
///   merges (the first 48894), start, end; <|endoftext|> pads.
/// @param max_length ids per encode(), start and end included; at least 2.
/// @throws FileError (missing or unreadable file), FormatError (malformed JSON or line, unknown token in a merge,
/// repeated or
///   implausible id, special token outside the vocabulary, each naming file and line or key), UnsupportedError (special
///   tokens CLIP does not have), OptionError (max_length).
///
/// The tokenizer holds no mutable state: any number of threads may share one.
std::shared_ptr<const Tokenizer> load_clip_tokenizer(const std::filesystem::path& source, int64_t max_length);

}  // namespace lightswitch
