"""Texts of the tokenizer's tests: what the small vocabulary is learned from, and what is awkward to tokenise."""

from __future__ import annotations

SENTENCES = [
    "a lighthouse on a rocky shore at night, its beam crossing the rain",
    "the photographer's camera doesn't see what we've painted",
    "three green apples and two red pears in a wooden bowl",
    "an oil painting of an old harbour with fishing boats",
    "portrait of a woman reading a letter by the window, soft light",
    "a watercolour of mountains behind a quiet lake in autumn",
    "the cat's sleeping on the warm stones of the garden wall",
    "they're walking home through the snow, and it's getting dark",
    "a wide photograph of a railway station, high contrast, black and white",
    "I'll draw a small wooden house; you'd add the trees and the river",
    "a glass of water on the table beside the painted stones",
    "night train crossing the bridge, lights in the water, long exposure",
    "a child with a red umbrella, digital painting, highly detailed",
    "the garden in the morning, dew on the leaves, shallow depth of field",
    "an astronaut riding a horse on the shore, detailed illustration",
    "I'm looking for the window that opens to the harbour",
]

CHOSEN = [
    # nothing to read
    "",
    " ",
    " \t\r\n\f\v ",
    "\u00a0\u2003\u3000\u2028",
    # plain
    "a lighthouse on a rocky shore",
    "  A   Photograph\tof\nan OLD   Harbour  ",
    "painting, painting; painting: painting! painting? (painting) [painting] 'painting'",
    "unseenword zxqjkv",
    # contractions and apostrophes
    "it's we've they're I'm you'll she'd don't",
    "IT'S WE'VE THEY'RE I'M YOU'LL SHE'D DON'T",
    "'s's 't 'sun ''s '' ' 'tis rock'n'roll o'clock's",
    "it\u2019s \u02bcs",
    # digits and punctuation
    "1 12 123 4k 8K 3.14 1/2 50% 2nd 1920x1080",
    "\u0661\u0662\u0663 \u00b2\u00b3 \u00bd \u2167 \u4e00\u4e8c\u4e09 \U0001d7d9",
    "!!! ... ?!?! --- *** ((masterpiece:1.2)) [blurry] {a|b} <lora:x:0.8> \\( #tag @name a_b",
    "...'s !'s \"'s",
    # special tokens within the text
    "<|endoftext|>",
    "a<|startoftext|>b<|endoftext|>c",
    "<|STARTOFTEXT|> <|EndOfText|> <|endoftext|>",
    "<|endoftext|>!!<|endoftext|>'s<|endoftext",
    "<|ENDOFTEXT|>!!! <|ENDOFTEXT|>'s <|startof text|>",
    "wow! really!? <Cat-Toy> <cat-toy> <CAT-TOY>",
    # accents, composed and not, and marks in the wrong order
    "caf\u00e9 cafe\u0301 \u00c5ngstr\u00f6m A\u030angstro\u0308m \u212bngstr\u00f6m",
    "a\u0323\u0302 a\u0302\u0323 \u1ead q\u0307\u0323 q\u0323\u0307",
    "\u0344 \u0308\u0301 \u0958 \u0915\u093c \u2126 \u2adc \ufb1d",
    "e" + "\u0301" * 40,
    # case
    "\u0130stanbul I\u0307stanbul ISTANBUL \u0131stanbul D\u0130YARBAKIR",
    "STRASSE Stra\u00dfe STRA\u1e9eE \ufb01n \ufb03",
    "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3 \u03a3 \u03c2 \u01c5 \u01c4 \u01c6 \ua64a \u10a0 \u13a0 \uab70",
    "\U00010400\U00010428 \U0001e900",
    # other scripts
    "\u041f\u0440\u0438\u0432\u0435\u0442 \u041c\u0418\u0420",
    "\u65e5\u672c\u8a9e\u306e\u5199\u771f \u4e2d\u6587\u56fe\u7247 \uff21\uff22\uff23\uff11",
    "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165 \uac00\u11a8 \uac01\u11a8",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05b4\u05d1\u05b0\u05e8\u05b4\u05d9\u05ea \u200f\u0041\u200e",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22 \u0ba4\u0bae\u0bbf\u0bb4\u0bcd",
    "\u1019\u103c\u1014\u103a\u1019\u102c",
    "\uf900 \U0002f800 \u8c48",
    # emoji: joined, coloured, flags, keycaps
    "\U0001f600\U0001f3a8 \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f3f3\ufe0f\u200d\U0001f308",
    "\U0001f44d\U0001f3fd\U0001f1e9\U0001f1ea 1\ufe0f\u20e3 \u2764\ufe0f\u2764 a\U0001f600b",
    # control, unassigned and private characters
    "a\x00b\x01c\x1bd\x1c\x1d\x1e\x1fe\x7ff\x85g",
    "\ufeffa\u200bb\u200cc\u00add\u2060e",
    "\ue000 \uffff \U000e0041 \U0010ffff \u0378 \ufffd",
    # long
    "horse " * 300,
    "lighthousephotograph" * 40,
    "!?" * 100,
    "'" * 50,
    "\U0001f600" * 60,
]

MALFORMED = [
    b"a\xffb\xfec",
    b"\x80\xbf\xc0\x80\xc1\xbf",
    b"caf\xe9 na\xefve",
    b"\xe2\x82",
    b"\xe2\x82 \xe2\x82\xac \xe2",
    b"\xed\xa0\x80\xed\xb0\x80 \xed\x9f\xbf",
    b"\xe0\x80\x80 \xe0\x9f\xbf \xe0\xa0\x80",
    b"\xf0\x80\x80\x80 \xf0\x8f\xbf\xbf \xf0\x90\x80\x80",
    b"\xf4\x8f\xbf\xbf \xf4\x90\x80\x80 \xf5\x80\x80\x80",
    b"\xf0\x9f\x98 \xf0\x9f \xf0 \xf0\x9f\x98\x80\x80",
    b"\xf0\x9fa\xe2\x82b\xc3c",
    b"<|endoftext\xff|> <|endoftext|>\xc3",
]
