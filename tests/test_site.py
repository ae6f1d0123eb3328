"""The site made of docs/: it builds strictly, without a dead link, and has every command's help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.main import command_line
from tests.paths import ROOT


def build(directory: Path) -> str:
    """Build the site strictly and return what was printed, warnings included."""
    started = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(directory)]
    done = subprocess.run(started, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    build(directory)
    return directory


def test_every_page_of_docs_is_on_the_site(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    index = {page.parent / "index.html" if page.stem == "README" else page for page in pages}
    assert [page for page in index if not (site / page).is_file()] == []


def test_the_reference_has_every_command_with_its_options(site: Path) -> None:
    page = (site / "commands.html").read_text()
    names = [name for name, command in command_line.commands.items() if not hasattr(command, "commands")]
    assert [name for name in names if f'id="{name}"' not in page] == []
    assert "Usage: mindrail store gc [OPTIONS]" in page
    assert "--device-memory SIZE" in page


def test_links_that_leave_docs_are_text_on_the_site(site: Path) -> None:
    assert 'href="../configs' not in (site / "evaluation.html").read_text()
    assert "configs/evaluate.yaml" in (site / "evaluation.html").read_text()
