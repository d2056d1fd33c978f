#include "text/words.hpp"

#include "text/unicode.hpp"

namespace lightswitch::text {
namespace {

constexpr std::u32string_view kEndings[] = {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"};
// Where these stand in the text without being taken as special tokens, CLIP's pattern still ends a word behind them.
constexpr std::u32string_view kMarks[] = {U"<|startoftext|>", U"<|endoftext|>"};

/// Length of the first of the candidates that the text starts with, or 0.
template <size_t count>
size_t prefix_length(std::u32string_view text, const std::u32string_view (&candidates)[count]) {
  for (const auto candidate : candidates)
    if (text.starts_with(candidate)) return candidate.size();
  return 0;
}

size_t word_length(std::u32string_view text) {
  if (const size_t ending = prefix_length(text, kEndings)) return ending;
  const CharacterClass kind = character_class(text.front());
  if (kind == CharacterClass::number) return 1;
  size_t length = 1;
  while (length < text.size() && character_class(text[length]) == kind) ++length;
  return length;
}

}  // namespace

std::vector<std::u32string_view> split_words(std::u32string_view text) {
  std::vector<std::u32string_view> words;
  size_t mark = 0;  // what is left of a mark
  while (!text.empty()) {
    if (mark == 0) mark = prefix_length(text, kMarks);
    size_t length = 1;
    if (character_class(text.front()) != CharacterClass::space) {
      length = word_length(mark == 0 ? text : text.substr(0, mark));
      words.push_back(text.substr(0, length));
    }
    text.remove_prefix(length);
    mark -= mark == 0 ? 0 : length;
  }
  return words;
}

}  // namespace lightswitch::text
