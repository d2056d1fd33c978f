#include "text/words.hpp"

#include <gtest/gtest.h>

namespace lightswitch::text {
namespace {

using Words = std::vector<std::u32string_view>;

TEST(SplitWords, LettersDigitsAndTheRest) {
  EXPECT_EQ(split_words(U""), Words{});
  EXPECT_EQ(split_words(U" \t\u3000"), Words{});
  EXPECT_EQ(split_words(U"one two"), (Words{U"one", U"two"}));
  EXPECT_EQ(split_words(U"f16 4k"), (Words{U"f", U"1", U"6", U"4", U"k"}));
  EXPECT_EQ(split_words(U"a,b...!?c"), (Words{U"a", U",", U"b", U"...!?", U"c"}));
  EXPECT_EQ(split_words(U"e\u0301a"), (Words{U"e", U"\u0301", U"a"}));
}

TEST(SplitWords, ContractionsStandAlone) {
  EXPECT_EQ(split_words(U"it's we've"), (Words{U"it", U"'s", U"we", U"'ve"}));
  EXPECT_EQ(split_words(U"'sun 'lllama"), (Words{U"'s", U"un", U"'ll", U"lama"}));
  EXPECT_EQ(split_words(U"'x ''s !'s"), (Words{U"'", U"x", U"''", U"s", U"!'", U"s"}));
  EXPECT_EQ(split_words(U"'"), Words{U"'"});
}

TEST(SplitWords, AMarkEndsAWordBehindIt) {
  EXPECT_EQ(split_words(U"<|endoftext|>!!"), (Words{U"<|", U"endoftext", U"|>", U"!!"}));
  EXPECT_EQ(split_words(U"<|startoftext|><|endoftext|>"),
            (Words{U"<|", U"startoftext", U"|>", U"<|", U"endoftext", U"|>"}));
  EXPECT_EQ(split_words(U"<|other|>!!"), (Words{U"<|", U"other", U"|>!!"}));
}

}  // namespace
}  // namespace lightswitch::text
