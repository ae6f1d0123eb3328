"""Renders a template of this directory: self-contained, without scripts, all text escaped."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["render"]

_SURROGATES = re.compile("[\ud800-\udfff]")


def render(template: str, page: object) -> str:
    """Return the template filled with `page`, as text that UTF-8 can encode.

    A lone surrogate, which a model may generate and UTF-8 cannot encode, becomes U+FFFD.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = environment.get_template(template).render(page=page)
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)
