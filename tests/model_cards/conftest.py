"""The hub and the data server of a walk: loopback servers with a small model and small data."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.flows.conftest import server  # noqa: F401  a Prefect server for the long walks
from tests.model_cards.small import write_published
from tests.model_cards.walk import Card, Walk
from tests.modelcore.store.fault_server import Served, serving

StartWalk = Callable[[Card], Walk]

_RECORDS = [
    {
        "instruction": f"Add {number} to a number.",
        "input": "",
        "output": f"def f(x):\n    return x + {number}",
    }
    for number in range(12)
]
_WIKITEXT = " \n = Heading = \n \n" + " The quick brown fox adds one and two . \n" * 200


@pytest.fixture
def start_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartWalk]:
    """Begin a card's walk in an empty directory, with the servers it needs."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with ExitStack() as stack:

        def start(card: Card) -> Walk:
            published = write_published(card.repository, tmp_path / "published")
            model = {path.name: path.read_bytes() for path in published.iterdir()}
            hub = stack.enter_context(serving(Served(files=model, hub=card.repository)))
            data = stack.enter_context(serving(Served(files=_data_sets())))
            (tmp_path / "home").mkdir()
            monkeypatch.chdir(tmp_path / "home")
            monkeypatch.setenv("HF_ENDPOINT", hub.url.rstrip("/"))
            return Walk(card, tmp_path / "home", hub.url.rstrip("/"), data.url.rstrip("/"))

        yield start


def _data_sets() -> dict[str, bytes]:
    """Return the data sets by the paths in the pages' addresses."""
    records = json.dumps(_RECORDS).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("wikitext-2/wiki.train.tokens", _WIKITEXT)
    return {
        "tatsu-lab/stanford_alpaca/main/alpaca_data.json": records,
        "code_alpaca_20k.json": records,
        "wikitext-2-v1.zip": packed.getvalue(),
    }
