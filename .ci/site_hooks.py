"""What mkdocs does not know of this repository: the page of commands, and links that leave docs/.

docs/ is read in two places. In the repository, a page may link to configs/ or tests/; on the site there are
only docs, so such links become plain text. The page of commands is made from the commands' own help when the
site is built: it is never out of date.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from flows.cli.help_pages import help_pages

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page of commands."""
    files.append(File.generated(config, "commands.md", content=help_pages()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Keep only the text of links to what the repository has and the site has not."""
    directory = (Path(config.docs_dir) / page.file.src_path).parent

    def without_link(match: re.Match[str]) -> str:
        target = (directory / match[2].partition("#")[0]).resolve()
        leaves = target.is_dir() or (target.exists() and Path(config.docs_dir) not in target.parents)
        return match[1] if leaves and not match[2].startswith("#") else match[0]

    return _LINK.sub(without_link, markdown)
