"""Fill-in-the-middle prompts as ids: prefix and suffix between the tokens that request the middle.

Both parts are read as ordinary characters. A sentencepiece vocabulary puts a space before a text; it is kept
before the prefix and removed before the suffix (facebookresearch/codellama, `infilling_prompt_tokens`).
"""

from __future__ import annotations

from modelcore.data.encoding.prompts import Infill
from modelcore.data.tokenizers import Tokenizer
from modelcore.errors import MindrailError

__all__ = ["infill_ids"]

# Any character that no token combines with others; Meta uses this one.
_SEPARATOR = "☺"


def infill_ids(tokenizer: Tokenizer, form: Infill, prefix: str, suffix: str) -> list[int]:
    """Return the prompt, without BOS, for the text between `prefix` and `suffix`.

    Raises:
        MindrailError: the vocabulary lacks one of the three tokens.
    """
    begin, rest = form.template.split("{prefix}")
    gap, middle = rest.split("{suffix}")
    first, second, last = (_token(tokenizer, text) for text in (begin, gap, middle))
    marked = tokenizer.encode_marked([_SEPARATOR + suffix], [len(_SEPARATOR)], specials=False)
    before = tokenizer.encode(prefix, specials=False)
    return [first, *before, second, *marked.ids[marked.marks[0] :].tolist(), last]


def _token(tokenizer: Tokenizer, text: str) -> int:
    token_id = tokenizer.token_id(text)
    if token_id is None:
        raise MindrailError(
            f"the vocabulary has no {text}: the model was not trained to fill in text",
            fix="use its base model",
        )
    return token_id
