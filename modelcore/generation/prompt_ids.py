"""Prompts as token ids: encoded, checked against the model's context, cut where that is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelcore.config.evaluation import Decoding
from modelcore.data.encoding.infilling import infill_ids
from modelcore.data.encoding.prompts import CODELLAMA_INFILL, DEEPSEEK_INFILL, STARCODER_INFILL, Infill
from modelcore.data.tokenizers import Tokenizer, load_tokenizer
from modelcore.errors import MindrailError
from modelcore.generation.plan import Prompt
from modelcore.models.families import read_model
from modelcore.models.model import Model

__all__ = ["check_prompt", "count_cut", "cut_prompt", "encode_all", "encode_prompts", "infill_form"]

_INFILLS = (CODELLAMA_INFILL, DEEPSEEK_INFILL, STARCODER_INFILL)


def encode_prompts(tokenizer: Tokenizer, texts: Sequence[str], *, bos: bool) -> list[list[int]]:
    """Return the ids of prompts; with `bos` each begins with BOS, once, even where its text spells it out."""
    encoded = tokenizer.encode_batch(texts, bos=bos)
    return [ids[1:] if bos and ids[1:2] == ids[:1] else ids for ids in encoded]


def encode_all(tokenizer: Tokenizer, prompts: Sequence[Prompt], *, bos: bool) -> list[list[int]]:
    """Return the ids of prompts, also of those with a gap to fill.

    Raises:
        MindrailError: a prompt has a gap, and the vocabulary has no tokens to request its filling.
    """
    plain = encode_prompts(tokenizer, [prompt.text for prompt in prompts if prompt.suffix is None], bos=bos)
    texts = iter(plain)
    return [
        next(texts) if prompt.suffix is None else _infill(tokenizer, prompt.text, prompt.suffix, bos=bos)
        for prompt in prompts
    ]


def infill_form(tokenizer: Tokenizer) -> Infill:
    """Return the form in which the vocabulary requests the text of a gap.

    Raises:
        MindrailError: it has the tokens of none.
    """
    for form in _INFILLS:
        begin = form.template.split("{prefix}")[0]
        if tokenizer.token_id(begin) is not None:
            return form
    raise MindrailError(
        "the vocabulary has no tokens for prefix and suffix: the model was not trained to fill in text",
        fix="use a base model of CodeLlama 7B or 13B, DeepSeek-Coder or StarCoder",
    )


def _infill(tokenizer: Tokenizer, prefix: str, suffix: str, *, bos: bool) -> list[int]:
    ids = infill_ids(tokenizer, infill_form(tokenizer), prefix, suffix)
    return [tokenizer.bos_id, *ids] if bos and tokenizer.bos_id is not None else ids


def cut_prompt(ids: Sequence[int], model: Model, decoding: Decoding, *, bos: bool) -> tuple[list[int], int]:
    """Return a prompt that fills the context without tokens of its left, and how many those are.

    What is kept leaves room for the answer, but is at least half of the context; BOS stays in front.
    """
    context = model.config.max_positions
    if decoding.long_prompts == "refuse" or len(ids) < context:
        return list(ids), 0
    kept = max(context - decoding.max_new_tokens, context // 2)
    head = list(ids[:1]) if bos else []
    return [*head, *ids[len(ids) - kept + len(head) :]], len(ids) - kept


def count_cut(checkpoint: Path, texts: Sequence[str], decoding: Decoding, *, bos: bool) -> int:
    """Return how many prompts fill the context of the model in `checkpoint`, so that their left is cut.

    Raises:
        MindrailError: config.json or the tokenizer cannot be read.
    """
    model, encoded = read_model(checkpoint), encode_prompts(load_tokenizer(checkpoint), texts, bos=bos)
    return sum(cut_prompt(ids, model, decoding, bos=bos)[1] > 0 for ids in encoded)


def check_prompt(ids: Sequence[int], model: Model, *, where: str) -> None:
    """Check that a model can continue a prompt.

    Args:
        ids: its tokens.
        model: of the checkpoint.
        where: names the prompt in the error.

    Raises:
        MindrailError: it is empty, as long as the model's context, or has a token the model does not know.
    """
    config = model.config
    if not ids:
        raise MindrailError("the prompt is empty", where=where)
    if len(ids) >= config.max_positions:
        raise MindrailError(
            f"the prompt has {len(ids)} tokens, the model's context is {config.max_positions}",
            where=where,
            fix="shorten it, or set long_prompts: cut",
        )
    if max(ids) >= config.vocab_size:
        raise MindrailError(
            f"token {max(ids)} of the prompt is outside the model's {config.vocab_size} embedding rows",
            where=where,
            fix="use the tokenizer the model was trained with",
        )
