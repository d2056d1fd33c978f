#include <algorithm>
#include <iterator>
#include <utility>

#include "text/unicode.hpp"

namespace lightswitch::text {
namespace {

struct CombiningRange {
  char32_t first, last;
  uint8_t rank;
};

struct Singleton {
  char32_t code, other;
};

struct Pair {
  char32_t code, first, second;
};

#include "text/normalization_tables.inc"

/// Hangul syllables are arithmetic: lead consonant, vowel and optional tail (Unicode, section 3.12).
namespace hangul {
constexpr char32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161,
                   kTails = 0x11A7;  // kTails itself is "no tail"
constexpr char32_t kLeadCount = 19, kVowelCount = 21, kTailCount = 28;
constexpr char32_t kSyllableCount = kLeadCount * kVowelCount * kTailCount;

void decompose(std::u32string& text, char32_t syllable) {
  const char32_t index = syllable - kSyllables, tail = index % kTailCount;
  text.push_back(kLeads + index / (kVowelCount * kTailCount));
  text.push_back(kVowels + index / kTailCount % kVowelCount);
  if (tail != 0) text.push_back(kTails + tail);
}

/// The composed character, or 0.
char32_t compose(char32_t first, char32_t second) {
  if (first - kLeads < kLeadCount && second - kVowels < kVowelCount)
    return kSyllables + ((first - kLeads) * kVowelCount + (second - kVowels)) * kTailCount;
  const bool open = first - kSyllables < kSyllableCount && (first - kSyllables) % kTailCount == 0;
  if (open && second > kTails && second - kTails < kTailCount) return first + (second - kTails);
  return 0;
}
}  // namespace hangul

uint8_t combining_rank(char32_t code) {
  const auto* after = std::ranges::upper_bound(kCombiningRanges, code, {}, &CombiningRange::first);
  return after == std::begin(kCombiningRanges) || code > after[-1].last ? 0 : after[-1].rank;
}

void decompose(std::u32string& text, char32_t code) {
  if (code - hangul::kSyllables < hangul::kSyllableCount) return hangul::decompose(text, code);
  const auto* single = std::ranges::lower_bound(kSingletons, code, {}, &Singleton::code);
  if (single != std::end(kSingletons) && single->code == code) return decompose(text, single->other);
  const auto* pair = std::ranges::lower_bound(kPairs, code, {}, &Pair::code);
  if (pair == std::end(kPairs) || pair->code != code) return text.push_back(code);
  decompose(text, pair->first);
  text.push_back(pair->second);  // in Unicode only the first half decomposes further
}

/// The composed character, or 0.
char32_t compose(char32_t first, char32_t second) {
  if (const char32_t syllable = hangul::compose(first, second)) return syllable;
  const auto halves = [](uint16_t place) { return std::pair{kPairs[place].first, kPairs[place].second}; };
  const std::pair wanted{first, second};
  const auto* found = std::ranges::lower_bound(kComposingPairs, wanted, {}, halves);
  return found != std::end(kComposingPairs) && halves(*found) == wanted ? kPairs[*found].code : 0;
}

/// Puts every run of combining marks into the order of their ranks.
void reorder(std::u32string& text) {
  for (size_t begin = 0; begin < text.size(); ++begin) {
    if (combining_rank(text[begin]) == 0) continue;
    size_t end = begin;
    while (end < text.size() && combining_rank(text[end]) != 0) ++end;
    std::stable_sort(text.begin() + begin, text.begin() + end,
                     [](char32_t a, char32_t b) { return combining_rank(a) < combining_rank(b); });
    begin = end;
  }
}

/// Joins each starter with the marks behind it that no mark of equal or higher rank blocks.
void compose(std::u32string& text) {
  size_t starter = std::u32string::npos, written = 0;
  int last_rank = 0;
  for (const char32_t code : std::u32string_view(text)) {
    const int rank = combining_rank(code);
    const bool adjacent = starter != std::u32string::npos && starter + 1 == written;
    if (starter != std::u32string::npos && (adjacent || last_rank < rank)) {
      if (const char32_t joined = compose(text[starter], code)) {
        text[starter] = joined;
        continue;
      }
    }
    if (rank == 0) starter = written;
    last_rank = rank;
    text[written++] = code;
  }
  text.resize(written);
}

}  // namespace

std::u32string to_nfc(std::u32string_view text) {
  constexpr char32_t kFirstChanged = 0x300;  // nothing below composes, decomposes away or combines
  if (std::ranges::all_of(text, [](char32_t code) { return code < kFirstChanged; })) return std::u32string(text);
  std::u32string result;
  result.reserve(text.size());
  for (const char32_t code : text) decompose(result, code);
  reorder(result);
  compose(result);
  return result;
}

}  // namespace lightswitch::text
