"""Fill-in-the-middle prompts as ids: a text's beginning and end, between the tokens that ask for its middle.

The two parts are read as characters, whatever they hold. A sentencepiece vocabulary puts a word-space before
a text; before the beginning it stays, before the end it does not (facebookresearch/codellama,
`infilling_prompt_tokens`).
"""

from __future__ import annotations

from modelcore.data.encoding.prompts import Infill
from modelcore.data.tokenizers import Tokenizer
from modelcore.errors import MindrailError

__all__ = ["infill_ids"]

# Any character that joins no other in a token; Meta's own choice.
_APART = "☺"


def infill_ids(tokenizer: Tokenizer, form: Infill, prefix: str, suffix: str) -> list[int]:
    """Return the ids that ask for what stands between `prefix` and `suffix`, without BOS.

    Raises:
        MindrailError: the vocabulary lacks one of the form's tokens.
    """
    begin, rest = form.template.split("{prefix}")
    gap, middle = rest.split("{suffix}")
    first, second, last = (_token(tokenizer, text) for text in (begin, gap, middle))
    marked = tokenizer.encode_marked([_APART + suffix], [len(_APART)], specials=False)
    before = tokenizer.encode(prefix, specials=False)
    return [first, *before, second, *marked.ids[marked.marks[0] :].tolist(), last]


def _token(tokenizer: Tokenizer, text: str) -> int:
    number = tokenizer.token_id(text)
    if number is None:
        raise MindrailError(
            f"the vocabulary has no {text}: the model was not trained to fill in", fix="use its base model"
        )
    return number
