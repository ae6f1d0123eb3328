"""Every step is a flow of its own: its artifact lies in the store, and a second run finds it there."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import steps
from modelcore.config.schema import Download
from modelcore.errors import MindrailError
from tests.flows.reduced_demo import Demo

pytestmark = pytest.mark.ranks


def test_a_checkpoint_is_downloaded_and_converted(demo: Demo, tmp_path: Path):
    source = demo.path("download")
    store = str(tmp_path / "store")
    got = steps.download(Download(source=f"file://{source}"), store)
    assert (got.path / "config.json").is_file()
    made = steps.convert(str(got.path), None, store)
    assert list(made.path.glob("*.ckpt"))
    assert not made.cached
    assert steps.convert(str(got.path), None, store).cached


def test_a_path_that_is_not_there_ends_a_step_by_name(demo: Demo, tmp_path: Path):
    with pytest.raises(MindrailError, match="checkpoint: .*there is no such file"):
        steps.convert(str(tmp_path / "nowhere"), None, str(tmp_path))
