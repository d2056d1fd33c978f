#include "text/clip_vocabulary.hpp"

#include <lightswitch/error.hpp>

#include <array>
#include <optional>

#include "text/shown.hpp"
#include "text/unicode.hpp"
#include "text/vocabulary_file.hpp"
#include "text/vocabulary_json.hpp"

namespace lightswitch::text {
namespace {

constexpr std::string_view kWordEnd = "</w>";
constexpr std::string_view kVersionMark = "#version";
constexpr int32_t kClipMerges = 48894;  // CLIP leaves the rest of its published file unused

/// The character that stands for each byte, in the order of the first 256 ids: bytes that print stand for themselves,
/// the others follow from U+0100.
std::vector<std::pair<uint8_t, std::string>> byte_alphabet() {
  const auto prints = [](int byte) { return (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD); };
  std::vector<std::pair<uint8_t, std::string>> alphabet;
  const auto add = [&alphabet](int byte, char32_t code) {
    append_utf8(alphabet.emplace_back(static_cast<uint8_t>(byte), "").second, code);
  };
  for (int byte = 0; byte < 256; ++byte)
    if (prints(byte)) add(byte, static_cast<char32_t>(byte));
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte)
    if (!prints(byte)) add(byte, next++);
  return alphabet;
}

/// A line of a merges file.
struct MergeLine {
  int number;
  std::string_view left, right;
};

/// The lines of a merges file.
class MergeLines {
 public:
  /// @param most merges to read; what follows is left unread.
  MergeLines(std::string file, std::string_view text, int32_t most)
      : file_(std::move(file)), rest_(text), left_(most) {}

  /// Skips the first line where it holds the version; says whether it did.
  bool skip_version() {
    if (first_line().find(kVersionMark) == std::string_view::npos) return false;
    take_line();
    return true;
  }
  std::string_view first_line() const { return rest_.substr(0, rest_.find('\n')); }

  std::optional<MergeLine> next() {
    if (rest_.empty() || left_-- == 0) return std::nullopt;
    const std::string_view line = take_line();
    const size_t space = line.find(' ');
    const bool two = space != std::string_view::npos && space > 0 && space + 1 < line.size() &&
                     line.find(' ', space + 1) == std::string_view::npos;
    if (!two) fail("malformed merge", "two tokens with a space between", shown(line));
    return MergeLine{number_, line.substr(0, space), line.substr(space + 1)};
  }

  [[noreturn]] void fail(const char* message, const std::string& expected, const std::string& found) const {
    throw FormatError(message, {file_, "line " + std::to_string(number_), expected, found});
  }

 private:
  std::string_view take_line() {
    std::string_view line = first_line();
    rest_.remove_prefix(std::min(line.size() + 1, rest_.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number_;
    return line;
  }

  std::string file_;
  std::string_view rest_;
  int32_t left_;
  int number_ = 0;
};

MergeTable read_merges(MergeLines lines, const TokenIds& ids) {
  MergeTable merges;
  merges.reserve(ids.size());
  std::string joined;
  const auto id_of = [&](std::string_view token) {
    const auto found = ids.find(token);
    if (found == ids.end()) lines.fail("merge of an unknown token", "tokens of the vocabulary", shown(token));
    return found->second;
  };
  for (auto line = lines.next(); line; line = lines.next()) {
    const int32_t left = id_of(line->left), right = id_of(line->right);
    joined.assign(line->left).append(line->right);
    if (!merges.add(left, right, id_of(joined)))
      lines.fail("repeated merge", "every pair once", shown(line->left) + " " + shown(line->right));
  }
  return merges;
}

}  // namespace

ClipVocabulary read_vocabulary_folder(const std::filesystem::path& folder) {
  ClipVocabulary vocabulary;
  read_vocabulary_json(folder / "vocab.json", vocabulary.ids);
  const auto path = folder / "merges.txt";
  const VocabularyFile file(path);
  MergeLines lines(path.string(), file.text(), INT32_MAX);
  lines.skip_version();
  vocabulary.merges = read_merges(lines, vocabulary.ids);
  return vocabulary;
}

ClipVocabulary read_merges_file(const std::filesystem::path& path) {
  const VocabularyFile file(path);
  MergeLines lines(path.string(), file.text(), kClipMerges);
  if (!lines.skip_version())
    throw FormatError("not a merges file", {path.string(), "line 1", "\"#version\"", shown(lines.first_line())});

  ClipVocabulary vocabulary;
  const auto add = [&](std::string token) {
    return vocabulary.ids.try_emplace(std::move(token), static_cast<int32_t>(vocabulary.ids.size())).second;
  };
  const auto alphabet = byte_alphabet();
  for (const auto& [byte, symbol] : alphabet) add(symbol);
  for (const auto& [byte, symbol] : alphabet) add(symbol + std::string(kWordEnd));
  MergeLines names = lines;
  for (auto line = names.next(); line; line = names.next())
    if (!add(std::string(line->left).append(line->right)))
      names.fail("repeated token", "every token once", shown(line->left) + " " + shown(line->right));
  add("<|startoftext|>");
  add("<|endoftext|>");
  vocabulary.merges = read_merges(lines, vocabulary.ids);
  return vocabulary;
}

ByteTokens byte_tokens(const TokenIds& ids, int32_t unknown) {
  const auto id_of = [&](const std::string& token) {
    const auto found = ids.find(token);
    return found == ids.end() ? unknown : found->second;
  };
  ByteTokens tokens;
  for (const auto& [byte, symbol] : byte_alphabet()) {
    tokens.inside[byte] = id_of(symbol);
    tokens.last[byte] = id_of(symbol + std::string(kWordEnd));
  }
  return tokens;
}

}  // namespace lightswitch::text
