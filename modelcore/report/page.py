"""Renders a template of this directory: self-contained, without scripts, all text escaped."""

from __future__ import annotations

import re
from pathlib import Path

from modelcore.errors import escaped_lines

__all__ = ["render"]

_CONTENTS = "<nav></nav>"
_HEADING = re.compile(r"<h2>(.*?)</h2>")  # a text's own angle brackets are escaped
_SURROGATES = re.compile("[\ud800-\udfff]")


def render(template: str, page: object) -> str:
    """Return the template filled with `page`, as text that UTF-8 can encode.

    A lone surrogate, which a model may generate and UTF-8 cannot encode, becomes U+FFFD.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    text = _with_contents(environment.get_template(template).render(page=page))
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def _shown(value: object) -> object:
    """Escape in a text what would move or hide other text: control characters, changes of direction."""
    if type(value) is not str:  # a number, or markup that is finished
        return value
    return escaped_lines(_SURROGATES.sub("\N{REPLACEMENT CHARACTER}", value))


def _with_contents(text: str) -> str:
    """Put links to all sections where the template says `<nav></nav>`."""
    if _CONTENTS not in text:
        return text
    titles: list[str] = []

    def numbered(heading: re.Match[str]) -> str:
        titles.append(heading[1])
        return f'<h2 id="section-{len(titles)}">{heading[1]}</h2>'

    text = _HEADING.sub(numbered, text)
    links = "\n".join(f'<a href="#section-{n}">{title}</a>' for n, title in enumerate(titles, 1))
    return text.replace(_CONTENTS, f"<nav>\n{links}\n</nav>", 1)
