"""The cards' sets are exported on Ascend alone; a user's own variables everywhere, and over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.config.reading import parse
from modelcore.config.training import Launch
from modelcore.errors import MindrailError
from modelcore.launching import device_environment
from modelcore.launching.device_environment import exported_environment, has_ascend, trains_on_ascend


def test_ascend_is_where_the_driver_shows_a_device(tmp_path: Path) -> None:
    (tmp_path / "davinci_manager").touch()
    assert not has_ascend(tmp_path)
    (tmp_path / "davinci3").touch()
    assert has_ascend(tmp_path)


def test_ranks_train_on_ascend_where_a_clusters_hosts_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_environment, "has_ascend", lambda: False)
    hosts = {"hosts": 2, "ranks_per_host": 8}
    assert not trains_on_ascend(parse({}, Launch))
    assert not trains_on_ascend(parse({"cluster": hosts}, Launch))
    assert trains_on_ascend(parse({"cluster": hosts | {"resources": {"NPU": 8.0}}}, Launch))


def test_a_set_is_exported_on_ascend_and_own_variables_go_over_it() -> None:
    own = {"MS_MEMORY_POOL_RECYCLE": "0", "MY_X": "1"}
    assert exported_environment("codellama-finetune", own, ascend=False) == own
    assert exported_environment("codellama-finetune", own, ascend=True) == {
        "MS_DEV_SIDE_EFFECT_LOAD_ELIM": "3",
        "MS_MEMORY_POOL_RECYCLE": "0",
        "GE_NOT_CUT": "1",
        "MY_X": "1",
    }
    assert exported_environment(None, {}, ascend=True) == {}


@pytest.mark.parametrize("in_shell", [True, False])
def test_what_a_set_needs_unset_must_not_be_set(monkeypatch: pytest.MonkeyPatch, in_shell: bool) -> None:
    own = {} if in_shell else {"MS_DISABLE_REF_MODE": "1"}
    if in_shell:
        monkeypatch.setenv("MS_DISABLE_REF_MODE", "1")
    with pytest.raises(MindrailError, match="MS_DISABLE_REF_MODE is set, and must not be beside the set"):
        exported_environment("wizardcoder-predict", own, ascend=True)
    assert exported_environment("wizardcoder-predict", own, ascend=False) == own
