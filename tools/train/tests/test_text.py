from __future__ import annotations

import itertools
import unittest

import numpy as np
import torch

from train.labels import field_sizes, told_labels
from train.prompts import _group, caption_stream
from train.text_encoder import FACT_TOKENS, FactReader, TextEncoder
from train.tokenizer import END, START, Tokenizer, learn, pieces
from train.world import TEST, plan

try:
    import transformers
except ImportError:
    transformers = None

ODD_TEXTS = (
    "", " ", "a red boat", "A Pair OF Huge RED balloons, on the Sea!!", "it's 2023: three kites... (night)", "don't we'll they're",
    "naïve café, Ångström", "日本の風景", "emoji 🎈🏠 here", "a_b __ 7x9", "tabs\tand\nlines", "<|endoftext|> inside", "ß ΑΒΓ ﬁ", "word " * 300,
    "½ ² Ⅷ ١٢", "\u200bzero width", "e\u0301 combining",
)  # fmt: skip


def small_tokenizer() -> Tokenizer:
    stream = caption_stream(seed=2)
    return learn((next(stream)[0] for _ in range(800)), size=760, max_length=40)


class Tokens(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.tokenizer = small_tokenizer()

    def test_common_words_are_one_token(self) -> None:
        for word in ("red", "balloon", "meadow", "a"):
            self.assertEqual(len(self.tokenizer.encode(word)), 1, word)

    def test_padded_with_the_end_and_cut_to_length(self) -> None:
        start, end = self.tokenizer.vocabulary[START], self.tokenizer.vocabulary[END]
        empty = self.tokenizer("")
        self.assertEqual(empty, [start] + [end] * 39)
        long = self.tokenizer("red " * 100)
        self.assertEqual((len(long), long[0], long[-1]), (40, start, end))
        self.assertNotEqual(long[-2], end)

    def test_every_byte_has_a_token(self) -> None:
        text = "".join(chr(code) for code in range(33, 0x2000, 7))
        self.assertEqual(len(pieces(text)) > 1, True)
        self.tokenizer.encode(text)

    def test_learning_is_reproducible(self) -> None:
        again = small_tokenizer()
        self.assertEqual(again.vocabulary, self.tokenizer.vocabulary)
        self.assertEqual(again.merges, self.tokenizer.merges)

    @unittest.skipIf(transformers is None, "transformers is not installed: no reference to compare with")
    def test_equal_to_transformers(self) -> None:
        reference = transformers.CLIPTokenizer(vocab=self.tokenizer.vocabulary, merges=self.tokenizer.merges)
        stream = caption_stream(seed=77)
        for text in (*ODD_TEXTS, *(next(stream)[0] for _ in range(200))):
            expected = reference(text, padding="max_length", truncation=True, max_length=40)["input_ids"]
            self.assertEqual(self.tokenizer(text), expected, repr(text))


class Labels(unittest.TestCase):
    def test_only_what_is_told_has_a_class(self) -> None:
        facts = {
            "sky": "night", "ground": "sea", "told": ["sky"],
            "groups": [{"kind": "boat", "colour": "red", "count": 2, "size": "large", "side": "left", "place": "ground", "told": ["side"]}],
        }  # fmt: skip
        labels = dict(zip((name for name, _ in field_sizes()), told_labels(facts)))
        told = {name for name, label in labels.items() if label}
        self.assertEqual(told, {"sky", "group1.kind", "group1.colour", "group1.count", "group1.side"})
        self.assertEqual(labels["group1.count"], 2)

    def test_a_loose_group_says_exactly_what_it_marks_as_told(self) -> None:
        rng = np.random.default_rng(4)
        for seed in range(TEST.start, TEST.start + 300):
            for group in plan(seed)[0]["groups"]:
                words = _group(group, rng).split(" ")
                self.assertEqual(group["colour"] in words, "colour" in group["always"], words)
                side = {"left", "right"} if group["side"] != "centre" else {"middle", "centre", "center"}
                self.assertEqual(bool(side & set(words)), "side" in group["told"], words)

    def test_empty_caption_tells_nothing(self) -> None:
        empty = [labels for caption, labels in itertools.islice(caption_stream(seed=1), 500) if not caption]
        self.assertTrue(empty)
        self.assertEqual(sum(map(sum, empty)), 0)


class Encoder(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(0)
        self.encoder = TextEncoder(50, 49, max_length=12, width=16, layers=2, heads=2, outputs=24).eval()

    def test_padding_changes_nothing(self) -> None:
        short = torch.tensor([[48, 3, 4, 49]])
        padded = torch.tensor([[48, 3, 4, 49, 49, 49, 49]])
        torch.testing.assert_close(self.encoder(short), self.encoder(padded))
        self.assertEqual(self.encoder(short).shape, (1, FACT_TOKENS, 24))

    def test_words_do_change_it(self) -> None:
        one, other = torch.tensor([[48, 3, 4, 49]]), torch.tensor([[48, 4, 3, 49]])
        self.assertGreater((self.encoder(one) - self.encoder(other)).abs().max().item(), 1e-3)

    def test_scripted_is_equal(self) -> None:
        ids = torch.randint(0, 49, (3, 12))
        torch.testing.assert_close(torch.jit.script(self.encoder)(ids), self.encoder(ids))

    def test_reader_answers_every_field(self) -> None:
        scores = FactReader(24)(torch.zeros(2, FACT_TOKENS, 24))
        self.assertEqual([score.shape[1] for score in scores], [count for _, count in field_sizes()])


if __name__ == "__main__":
    unittest.main()
