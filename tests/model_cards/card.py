"""What a reader of a model card types: the distinctive parts of its commands, YAML keys and variables.

The cards lie beside the repository and are not part of it. A part is what names a line's purpose (a script,
an option, a key with its number, a variable, a downloaded file), not its paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["parts_of"]

_BLOCK = re.compile(r"^( *)``` ?(\w*)\n(.*?)^ *```", re.S | re.M)
_TYPED = ("shell", "bash", "python", "yaml")
_INLINE = re.compile(r"`((?:export|bash|python) [^`]+)`")
_PARTS = (
    re.compile(r"(?<![\w-])--?[a-z][a-z_]+\b"),  # options
    re.compile(r"\b(?:export|unset) ([A-Z_]+)"),
    re.compile(r"([\w.-]+\.(?:py|sh|yaml|ini))\b"),  # scripts and configurations
    re.compile(r"\bwget \S+/([\w.-]+)"),
    re.compile(r"\b(\w+==[\d.]+)"),  # packages
    re.compile(r"\b(evaluate_functional_correctness|full_HumanEval|performance|pa_[bf]\w+|git clone)"),
    re.compile(r"(\[\[\d+,\d+\].*?\]\])"),  # lengths of a performance test
    re.compile(r"^ *([a-z]\w+: (?:[\d.]+(?:e-\d+)?|True|False))\b", re.M),
)
_KEY = re.compile(r"^ *([\w.]+)(?:: ?|=)\S", re.M)  # of YAML and INI; an argument of a call
_TREE, _OUTPUT = re.compile(r"[├└]──"), re.compile(r"^ *\{'text_generation_text'.*$", re.M)


def parts_of(card: Path) -> Iterator[str]:
    """Yield what is distinctive in each line of a card that its reader types; some more than once."""
    text = card.read_text(encoding="utf-8")
    typed = [match[3] for match in _BLOCK.finditer(text) if match[2] in _TYPED]
    for block in [*typed, *_INLINE.findall(text)]:
        if _TREE.search(block):  # a listing of files that the reader has, not types
            continue
        lines = re.sub(r"(?:^|(?<=\s))#.*$", "", _OUTPUT.sub("", block), flags=re.M)
        for pattern in (*_PARTS, _KEY):
            yield from (part for part in pattern.findall(lines) if part != "help")
