#include "text/unicode.hpp"

#include <algorithm>
#include <iterator>

namespace lightswitch::text {
namespace {

constexpr CharacterClass L = CharacterClass::letter, N = CharacterClass::number, Z = CharacterClass::space;

struct ClassRange {
  char32_t first, last;
  CharacterClass kind;
};

/// Every step-th character of first … last has its small letter at `distance`.
struct LowercaseRun {
  char32_t first, last;
  uint32_t step;
  int32_t distance;
};

#include "text/character_tables.inc"

constexpr char32_t kReplacement = 0xFFFD;
constexpr char32_t kCapitalIWithDot = 0x130;  // the one character whose lower case has two

/// What a lead byte promises: its sequence's length, its payload bits, and the range of the second byte that excludes
/// overlong forms, surrogates and values beyond U+10FFFF.
struct Lead {
  int length;
  char32_t bits;
  uint8_t second_low = 0x80, second_high = 0xBF;
};

Lead read_lead(uint8_t byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {2, byte & 0x1Fu};
  if (byte == 0xE0) return {3, 0, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0xD, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3, byte & 0xFu};
  if (byte == 0xF0) return {4, 0, 0x90, 0xBF};
  if (byte == 0xF4) return {4, 4, 0x80, 0x8F};
  if (byte >= 0xF1 && byte <= 0xF3) return {4, byte & 7u};
  return {0, 0};
}

/// The last row whose `first` is not beyond the code, or null.
template <typename Row, size_t size>
const Row* row_at(const Row (&table)[size], char32_t code) {
  const auto* after = std::ranges::upper_bound(table, code, {}, &Row::first);
  if (after == std::begin(table) || code > after[-1].last) return nullptr;
  return after - 1;
}

}  // namespace

std::u32string decode_utf8(std::string_view bytes) {
  std::u32string text;
  text.reserve(bytes.size());
  size_t place = 0;
  while (place < bytes.size()) {
    const auto first = static_cast<uint8_t>(bytes[place++]);
    if (first < 0x80) {
      text.push_back(first);
      continue;
    }
    const Lead lead = read_lead(first);
    char32_t code = lead.bits;
    int missing = lead.length - 1;
    for (uint8_t low = lead.second_low, high = lead.second_high; missing > 0 && place < bytes.size(); --missing) {
      const auto next = static_cast<uint8_t>(bytes[place]);
      if (next < low || next > high) break;
      code = code << 6 | (next & 0x3Fu);
      ++place;
      low = 0x80, high = 0xBF;
    }
    text.push_back(missing == 0 ? code : kReplacement);
  }
  return text;
}

void append_utf8(std::string& bytes, char32_t code) {
  const auto push = [&bytes](char32_t value) { bytes.push_back(static_cast<char>(value)); };
  if (code < 0x80) {
    push(code);
    return;
  }
  const int continuations = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr uint8_t kLeads[] = {0, 0xC0, 0xE0, 0xF0};
  push(kLeads[continuations] | code >> (6 * continuations));
  for (int i = continuations - 1; i >= 0; --i) push(0x80 | (code >> (6 * i) & 0x3F));
}

CharacterClass character_class(char32_t code) {
  const ClassRange* range = row_at(kClassRanges, code);
  return range == nullptr ? CharacterClass::other : range->kind;
}

std::u32string to_lowercase(std::u32string_view text) {
  std::u32string lower;
  lower.reserve(text.size());
  for (const char32_t code : text) {
    if (code == kCapitalIWithDot) {
      lower += U"i\u0307";
      continue;
    }
    const LowercaseRun* run = row_at(kLowercaseRuns, code);
    const bool capital = run != nullptr && (code - run->first) % run->step == 0;
    lower.push_back(capital ? code + static_cast<char32_t>(run->distance) : code);
  }
  return lower;
}

}  // namespace lightswitch::text
