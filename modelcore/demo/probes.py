"""Arguments to call programs with, and one digest of a program's results for them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from typing import Any

__all__ = ["Arguments", "behaviours", "draw_arguments", "nothing", "probes"]

# The arguments of one call.
Arguments = tuple[Any, ...]

_WORDS = """
    red Sun up ox cat Egg to map tree hat ice old Ink bell fish lamp Nest rose
    apple Bird dance Earth frog green house jump Lemon moon night paper salt tent urn pond
""".split()  # noqa: SIM905
# So many of them stand in docstrings' examples: the short ones.
_SHORT_WORDS = 8
_PROBES_PER_TYPE = 32
# What calling a function with arguments of another type raises.
_WRONG_TYPE = (TypeError, AttributeError, ValueError)


def draw_arguments(takes: str, random_source: random.Random, *, short: bool = False) -> Arguments:
    """Draw the arguments of one call.

    Args:
        takes: the type of the value a program starts from, as in `Step.takes`.
        random_source: where the draw comes from.
        short: small values for a docstring's example.
    """
    draw = random_source.randint
    if takes == "pair":
        return (draw(-9, 25), draw(-9, 25)) if not short else (draw(2, 9), draw(2, 9))
    if takes == "int":
        return (draw(-60, 120) if not short else draw(5, 30),)
    length = draw(2, 3 if takes == "numbers" else 2) if short else draw(0, 12)
    if takes == "numbers":
        return ([draw(1, 15) if short else draw(-12, 30) for _ in range(length)],)
    words = [random_source.choice(_WORDS[:_SHORT_WORDS] if short else _WORDS) for _ in range(length)]
    return (" ".join(words),) if takes == "text" else (words,)


def nothing(takes: str) -> Arguments:
    """Return the smallest call: zeros, or an empty list or text."""
    smallest: dict[str, Arguments] = {
        "pair": (0, 0),
        "int": (0,),
        "numbers": ([],),
        "text": ("",),
        "words": ([],),
    }
    return smallest[takes]


def probes(takes: str) -> list[Arguments]:
    """Return the calls by which programs of one type are compared: always the same."""
    random_source = random.Random(f"probes of {takes}")
    return [draw_arguments(takes, random_source) for _ in range(_PROBES_PER_TYPE)]


_PROBES = {takes: probes(takes) for takes in ("pair", "int", "numbers", "text", "words")}


def behaviours(function: Callable[..., Any], takes: str | None = None) -> dict[str, str]:
    """Return, for each type that the function can be called with, a digest of what it returns for the probes.

    Args:
        function: generated here; it returns plain data and changes no argument.
        takes: call it with this type only.

    Returns:
        type -> digest; types for which a call raises are left out.
    """
    digests = {}
    for kind in _PROBES if takes is None else (takes,):
        try:
            results = [function(*arguments) for arguments in _PROBES[kind]]
        except _WRONG_TYPE:
            continue
        digests[kind] = hashlib.sha256(repr(results).encode()).hexdigest()
    return digests
