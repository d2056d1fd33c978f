#include "text/unicode.hpp"

#include <gtest/gtest.h>

#include "text/normalize.hpp"

namespace lightswitch::text {
namespace {

using namespace std::string_literals;

std::string encoded(std::u32string_view text) {
  std::string bytes;
  for (const char32_t code : text) append_utf8(bytes, code);
  return bytes;
}

template <typename Visit>
void for_every_scalar(Visit visit) {
  for (char32_t code = 0; code < 0x110000; ++code)
    if (code < 0xD800 || code > 0xDFFF) visit(code);
}

TEST(Utf8, EveryScalarSurvivesTheRoundTrip) {
  std::u32string all;
  for_every_scalar([&](char32_t code) { all.push_back(code); });
  EXPECT_EQ(all.size(), 0x110000u - 0x800u);
  EXPECT_TRUE(decode_utf8(encoded(all)) == all);
}

// Unicode, section 3.9, "U+FFFD substitution of maximal subparts": its tables 3-8 to 3-11.
TEST(Utf8, MalformedBytesBecomeOneReplacementForEachMaximalSubpart) {
  EXPECT_EQ(decode_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), U"\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(decode_utf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), U"\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(decode_utf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), U"\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA\uFFFD\uFFFDB");
  EXPECT_EQ(decode_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), U"\uFFFD\uFFFD\uFFFD\uFFFDA");
}

TEST(Utf8, EveryPairOfBytesDecodes) {
  for (int first = 0; first < 256; ++first)
    for (int second = 0; second < 256; ++second) {
      const char bytes[] = {static_cast<char>(first), static_cast<char>(second)};
      const auto text = decode_utf8({bytes, 2});
      const bool pair = first >= 0xC2 && first <= 0xDF && second >= 0x80 && second <= 0xBF;
      const bool cut = (first == 0xE0 && second >= 0xA0 && second <= 0xBF) ||
                       (first == 0xED && second >= 0x80 && second <= 0x9F) ||
                       (first > 0xE0 && first < 0xF0 && first != 0xED && second >= 0x80 && second <= 0xBF) ||
                       (first == 0xF0 && second >= 0x90 && second <= 0xBF) ||
                       (first > 0xF0 && first < 0xF4 && second >= 0x80 && second <= 0xBF) ||
                       (first == 0xF4 && second >= 0x80 && second <= 0x8F);
      EXPECT_EQ(text.size(), pair || cut ? 1u : 2u) << first << " " << second;
    }
}

TEST(CharacterClass, KnowsLettersNumbersAndSpaces) {
  for (const char32_t code : U"azAZ\u00AA\u00DF\u0130\u0915\u3042\uAC00\uD7A3\U0001E900"s)
    EXPECT_EQ(character_class(code), CharacterClass::letter) << int(code);
  for (const char32_t code : U"09\u00B2\u00BD\u0661\u2167\u3007\U0001D7D9"s)
    EXPECT_EQ(character_class(code), CharacterClass::number) << int(code);
  for (const char32_t code : U"\t\n\v\f\r \u0085\u00A0\u1680\u2000\u200A\u2028\u2029\u202F\u205F\u3000"s)
    EXPECT_EQ(character_class(code), CharacterClass::space) << int(code);
  for (const char32_t code : U"!_\x1F\u0301\u180E\u200B\u200D\uFEFF\U0001F1E6\uE000\uFFFF\U0010FFFF"s)
    EXPECT_EQ(character_class(code), CharacterClass::other) << int(code);
  EXPECT_EQ(character_class(0), CharacterClass::other);
}

TEST(Lowercase, MapsEachCharacterAlone) {
  EXPECT_EQ(to_lowercase(U"ABZ abz @[`{"), U"abz abz @[`{");
  EXPECT_EQ(to_lowercase(U"\u00C0\u00D6\u00D7\u00D8\u00DE\u00DF"), U"\u00E0\u00F6\u00D7\u00F8\u00FE\u00DF");
  EXPECT_EQ(to_lowercase(U"\u0130I\u0131"), U"i\u0307i\u0131");
  EXPECT_EQ(to_lowercase(U"\u0391\u03A3"), U"\u03B1\u03C3");  // not the final sigma
  EXPECT_EQ(to_lowercase(U"\u1E9E\u2126\u212A\u212B"), U"\u00DF\u03C9k\u00E5");
  EXPECT_EQ(to_lowercase(U"\u0100\u0101\u0139\u0178\u01C5"), U"\u0101\u0101\u013A\u00FF\u01C6");
  EXPECT_EQ(to_lowercase(U"\u13A0\uAB70\U00010400\U0001E900"), U"\uAB70\uAB70\U00010428\U0001E922");
}

TEST(Lowercase, IsStableAndNeverEmpty) {
  for_every_scalar([](char32_t code) {
    const auto once = to_lowercase(std::u32string(1, code));
    ASSERT_FALSE(once.empty());
    ASSERT_TRUE(to_lowercase(once) == once) << std::hex << int(code);
  });
}

TEST(Nfc, ComposesAndOrders) {
  EXPECT_EQ(to_nfc(U""), U"");
  EXPECT_EQ(to_nfc(U"cafe\u0301"), U"caf\u00E9");
  EXPECT_EQ(to_nfc(U"a\u0302\u0323"), U"\u1EAD");
  EXPECT_EQ(to_nfc(U"q\u0307\u0323"), U"q\u0323\u0307");
  EXPECT_EQ(to_nfc(U"\u212B\u2126\uF900"), U"\u00C5\u03A9\u8C48");
  EXPECT_EQ(to_nfc(U"\u0301a"), U"\u0301a");
  EXPECT_EQ(to_nfc(U"a\u0327\u0301"), U"\u00E1\u0327");   // a lower mark in between does not block
  EXPECT_EQ(to_nfc(U"a\u0305\u0301"), U"a\u0305\u0301");  // an equal one does
  EXPECT_EQ(to_nfc(U"a\u200D\u0301"), U"a\u200D\u0301");  // a starter does
  EXPECT_EQ(to_nfc(U"\u0958\uFB1D\u0344"), U"\u0915\u093C\u05D9\u05B4\u0308\u0301");  // excluded from composition
}

TEST(Nfc, HangulIsArithmetic) {
  EXPECT_EQ(to_nfc(U"\u1112\u1161\u11AB"), U"\uD55C");
  EXPECT_EQ(to_nfc(U"\uAC00\u11A8"), U"\uAC01");
  EXPECT_EQ(to_nfc(U"\uAC01\u11A8"), U"\uAC01\u11A8");
  EXPECT_EQ(to_nfc(U"\uAC00\u11A7"), U"\uAC00\u11A7");
  EXPECT_EQ(to_nfc(U"\u1161\u11A8"), U"\u1161\u11A8");
  for (char32_t code = 0xAC00; code <= 0xD7A3; ++code)
    ASSERT_TRUE(to_nfc(std::u32string(1, code)) == std::u32string(1, code));
}

TEST(Nfc, IsIdempotent) {
  for (char32_t code = 0; code < 0x30000; ++code) {  // nothing beyond has a decomposition or a class
    const auto once = to_nfc(std::u32string{U'a', code, U'\u0327', code, U'\u0301'});
    ASSERT_TRUE(to_nfc(once) == once) << std::hex << int(code);
  }
}

TEST(Normalize, ComposesCollapsesAndLowers) {
  EXPECT_EQ(normalize(U"  A\u030A \t\u3000 \u0130\u0301\n"), U" \u00E5 i\u0307\u0301 ");
}

}  // namespace
}  // namespace lightswitch::text
