"""Checks that a model can be divided as the layout asks, and that rows fit its context. Needs config.json."""

from __future__ import annotations

from modelcore.config.runs import Training
from modelcore.config.training import Sharding
from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from tasks.layout import cut_of
from tasks.preflight.directories import Directories
from tasks.preflight.errors import key_named

__all__ = ["check_context", "layout_notes"]


def layout_notes(config: Sharding, directories: Directories) -> tuple[str, ...]:
    """Return what a user should know about a layout, one line each (a vocabulary that is kept whole).

    Raises:
        MindrailError: heads, layers or widths do not divide as the layout asks; the key is named.
    """
    if directories.model is None:
        return ()
    model = read_model(directories.model)
    with key_named("parallel"):
        return model.divide(cut_of(config)).notes


def check_context(config: Training, directories: Directories) -> None:
    """Check that the model reads rows of that length.

    Raises:
        MindrailError: the rows are longer than the model's context.
    """
    if directories.model is None:
        return
    length, context = config.preprocess.seq_length, read_model(directories.model).config.max_positions
    if length > context:
        raise MindrailError(
            f"{length} tokens, but the model's context is {context}",
            where="preprocess.seq_length",
            fix=f"give at most {context}",
        )
