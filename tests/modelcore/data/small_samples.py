"""A few records and paragraphs with every case of the real data in which rows have differed."""

from __future__ import annotations

RECORDS = [
    {"instruction": "Sort the list.", "input": "[3, 1, 2]", "output": "[1, 2, 3]"},
    {"instruction": "Write a loop.", "input": "", "output": "for i in range(10):\n    print(i)\n"},
    # Digits behind several spaces: StarCoder's tokenizer.json takes them out before it looks at the spaces.
    {"instruction": "Indent a number.", "input": "", "output": "x = [\n    12,\n    345]"},
    # Written-out special tokens: ids to the models' tokenizers, characters to some of MindFormers'.
    {"instruction": "What ends a text?", "input": "", "output": "a <filename> b<|endoftext|>c"},
    {"instruction": "What ends an answer?", "input": "", "output": "It is </s> here, <unk> there."},
    {"instruction": "Return None, or type(None).", "input": "x", "output": "return None"},
    {"instruction": "Say nothing.", "input": "", "output": ""},
    {"instruction": "Talk.", "input": "", "output": "USER: hi ASSISTANT: hello"},
    {"instruction": "Begin on a new line.", "input": "", "output": "\n\n  Grüße, 世界 🙂\n"},
    {"instruction": "Answer at length. " * 3, "input": "", "output": "the quick brown fox jumps " * 24},
    # Longer than a row before its answer begins.
    {"instruction": "the lazy dog jumps over the fox " * 40, "input": "", "output": "Yes."},
]

WIKITEXT = (
    " \n = Foxes = \n \n"
    " A fox is 1 @,@ 000 @.@ 5 mm long ( or so ) , and well @-@ known . \n It 's <unk> . \n \n"
    " = = Names = = \n \n"
    ' It is called " quick " ; some are 5 " tall . \n'
    " \n = = Colours = = \n \n"
    ' " Red " foxes are red . They have eyes . \n'
    " \n = = = Tails = = = \n \n"
    " End : of N [ story ] ! \n"
)
PARAGRAPHS = [
    "A fox is 1,000.5 mm long (or so), and well-known.\nIt's <unk>.",
    'It is called "quick"; some are 5 " tall.',
    '"Red" foxes are red. They have eyes.',
    "End: of N [story]!",
]
# MindFormers' rules run over the whole text: the quotation mark of 5 " pairs with the next one, far below, so
# the blank line before that goes, and the heading takes along the paragraph that now follows it directly.
# N is the Penn Treebank's number.
MINDFORMERS_PARAGRAPHS = [
    PARAGRAPHS[0],
    'It is called "quick"; some are 5 "tall.',
    "End: of 1 [story]!",
]
