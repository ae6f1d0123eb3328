"""From a template in this directory to a page: self-contained, without script, every text escaped."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["render"]

_REPLACED = "\N{REPLACEMENT CHARACTER}"


def render(template: str, page: object) -> str:
    """Return the template filled with `page`, as text that UTF-8 can hold.

    A lone surrogate, which a model may write and UTF-8 cannot, becomes U+FFFD.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = environment.get_template(template).render(page=page)
    return re.sub("[\ud800-\udfff]", _REPLACED, text)
