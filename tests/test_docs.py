"""What README and docs say is true: commands parse, YAML is valid, links and images lead somewhere.

tests/test_shown_commands.py and tests/model_cards run the commands.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from flows.cli.main import command_line
from modelcore.config.describe import describe_all
from modelcore.config.reading import read_config
from modelcore.config.runs import RUNS
from modelcore.models.shipped import ShippedModel
from tests.paths import ROOT
from tests.test_layers import PACKAGES

README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
QUICKSTART = ROOT / "docs" / "quickstart.md"
HOW_TO = sorted((ROOT / "docs" / "how-to").glob("*.md"))
PAGES = [
    README,
    README.with_suffix(".zh.md"),
    CONTRIBUTING,
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
IMAGES = ROOT / "docs" / "images"

SCHEMAS: dict[str, type[BaseModel]] = {
    **{f"{kind}.yaml": schema for kind, schema in RUNS.items()},
    "configs/models/NAME.yaml": ShippedModel,
}
"""What a YAML block is, by the file name in the comment on its first line."""


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    """Yield the fenced blocks of one language with their page."""
    for page in PAGES:
        for block in blocks_of(page, language):
            yield page, block


def blocks_of(page: Path, language: str) -> Iterator[str]:
    """Yield the fenced blocks of a page; a block inside a list is indented."""
    for match in re.finditer(rf"^( *)```{language}\n(.*?)^ *```", page.read_text(), re.S | re.M):
        yield re.sub(rf"^{match[1]}", "", match[2], flags=re.M)


def console_lines(*programs: str) -> list[str]:
    lines = [line for _, block in blocks("console") for line in block.replace("\\\n", " ").splitlines()]
    return sorted({line for line in lines if line and line.split()[0] in programs})


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and images, in Markdown and in HTML."""
    text = re.sub(r"^( *)```.*?^ *```", "", page.read_text(), flags=re.S | re.M)
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)


def anchors(page: Path) -> set[str]:
    """Return the names that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("line", console_lines("mindrail"))
def test_every_mindrail_command_that_is_shown_exists_with_its_options(line: str) -> None:
    words = shlex.split(line)[1:]
    group: Any = command_line
    while words and words[0] in getattr(group, "commands", {}):
        group = group.commands[words.pop(0)]
    assert not hasattr(group, "commands"), f"{line}: no such command"
    group.make_context(line, words)


def table_of_commands(page: Path, heading: str) -> list[list[str]]:
    table = page.read_text().partition(heading)[2].partition("\n\n")[0]
    return [re.findall(r"`([\w-]+)`", row.split("|")[1]) for row in table.splitlines()[2:]]


def test_every_command_is_in_the_readmes_table() -> None:
    rows = table_of_commands(README, "| command | what it does |")
    assert {name for row in rows for name in row} == set(command_line.commands)


@pytest.mark.parametrize("page", [README, QUICKSTART], ids=lambda page: page.name)
def test_the_chinese_version_has_the_same_commands_and_values(page: Path) -> None:
    chinese = page.with_suffix(".zh.md")
    assert list(blocks_of(chinese, "console")) == list(blocks_of(page, "console"))
    values = [[yaml.safe_load(block) for block in blocks_of(one, "yaml")] for one in (page, chinese)]
    assert values[0] == values[1]


def test_the_chinese_readme_lists_the_same_commands() -> None:
    english = table_of_commands(README, "| command | what it does |")
    assert table_of_commands(README.with_suffix(".zh.md"), "| 命令 | 作用 |") == english


@pytest.mark.parametrize("line", console_lines("make"))
def test_every_make_target_that_is_shown_exists(line: str) -> None:
    subprocess.run([*line.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("line", console_lines("prefect"))
def test_every_prefect_command_that_is_shown_exists(line: str) -> None:
    words = [word for word in line.split()[1:] if not word.startswith("-")][:2]
    words = words if words != ["deploy"] else ["deploy"]
    done = subprocess.run([sys.executable, "-m", "prefect", *words, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("number", range(len(list(blocks("yaml")))))
def test_every_yaml_block_is_valid(number: int, tmp_path: Path) -> None:
    page, block = list(blocks("yaml"))[number]
    name = block.partition("\n")[0].removeprefix("# ")
    assert name in SCHEMAS, f"{page.name}: the first line of a YAML block is a comment with its file's name"
    (tmp_path / "shown.yaml").write_text(block)
    read_config(tmp_path / "shown.yaml", SCHEMAS[name])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_images_lead_somewhere(page: Path) -> None:
    for target in links(page):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_image_is_shown_and_small() -> None:
    shown = {(page.parent / target).resolve() for page in PAGES for target in links(page)}
    for image in IMAGES.glob("*"):
        assert image in shown, f"no page shows {image.name}"
        assert image.stat().st_size < 200_000, image.name


@pytest.mark.parametrize("page", [CONTRIBUTING, *HOW_TO], ids=lambda page: page.name)
def test_files_named_by_guides_exist(page: Path) -> None:
    named = re.findall(r"`((?:modelcore|tasks|flows|tests|configs)/[\w/.]+)`", page.read_text())
    real = {re.sub(r"[^/]*(?:NAME|FAMILY).*", "", path) for path in named}  # up to a placeholder
    assert [path for path in real if not (ROOT / path).exists()] == []


def test_names_are_in_the_files_where_the_how_tos_say() -> None:
    guides = "".join(page.read_text() for page in HOW_TO)
    places = re.findall(r"`(\w+)`\s+in\s+`((?:modelcore|tasks|flows|tests)/[\w/]+\.py)`", guides)
    assert len(places) > 3
    assert [name for name, path in places if not re.search(rf"\b{name}\b", (ROOT / path).read_text())] == []


def test_contributing_lists_every_package_of_modelcore_in_the_order_of_imports() -> None:
    table = CONTRIBUTING.read_text().partition("| package | what it holds |")[2].partition("\n\n")[0]
    there = [name for name in PACKAGES if (ROOT / "modelcore" / name).is_dir()]
    assert re.findall(r"^\| `(\w+)`", table, re.M) == there


def test_the_configuration_page_is_what_the_command_prints() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert page.endswith(describe_all(RUNS)), "run: make docs"


def test_the_changelog_has_each_heading_once_per_version() -> None:
    versions = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)[1:]
    assert [version.partition("\n")[0].partition(" ")[0] for version in versions] == ["Unreleased", "0.1.0"]
    for version in versions:
        headings = re.findall(r"^### (.*)$", version, re.M)
        assert len(headings) == len(set(headings)), headings
