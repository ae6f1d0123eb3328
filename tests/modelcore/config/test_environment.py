"""Environment variables of a run: names are checked, and only what may change a number is part of a key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from modelcore.config.environment import (
    ENVIRONMENT_SETS,
    RESERVED,
    MindSporeSet,
    SetName,
    number_changing,
)
from modelcore.config.evaluation import Generate
from modelcore.config.reading import parse
from modelcore.config.training import Launch
from modelcore.errors import MindrailError
from modelcore.launching.rank_environment import Rendezvous
from tests.paths import ROOT

CARDS = ROOT.parent / "shared" / "cards"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"MS X": "1"}, "environment: .*'MS X' is no name of an environment variable"),
        ({"1MS": "1"}, "is no name"),
        ({"": "1"}, "is no name"),
        ({"A=B": "1"}, "is no name"),
        ({"MS_X": 1}, "environment.MS_X: "),
        ({"MS_X": True}, "environment.MS_X: "),
        ({"MS_X": None}, "environment.MS_X: "),
        ({"MS_X": "a\0b"}, "the value of MS_X has a line break or a zero byte"),
        ({"RANK_ID": "0"}, "RANK_ID is set by mindrail itself, for each process"),
        ({"MINDRAIL_PROGRESS": "here"}, "MINDRAIL_PROGRESS is set by mindrail itself"),
        ({"PATH": "/bin"}, "PATH must be set before mindrail starts: export it in the shell"),
        ({"LD_PRELOAD": "x.so"}, "LD_PRELOAD must be set before mindrail starts"),
        ({"LD_LIBRARY_PATH": "/cann"}, "LD_LIBRARY_PATH must be set before mindrail starts"),
        ({"PYTHONPATH": "/x"}, "PYTHONPATH must be set before mindrail starts"),
        ({"HF_TOKEN": "hf_x"}, "HF_TOKEN looks like a secret and would be recorded"),
        ({"AWS_SECRET_ACCESS_KEY": "x"}, "looks like a secret"),
    ],
)
@pytest.mark.parametrize("section", [Launch, Generate])
def test_a_variable_that_must_not_be_set_here_is_refused_with_the_reason(
    section: type[Any], variables: dict[str, Any], message: str
) -> None:
    values: dict[str, Any] = {"benchmark": "humaneval"} if section is Generate else {}
    with pytest.raises(MindrailError, match=message):
        parse(values | {"environment": variables}, section)


def test_every_variable_that_a_process_gets_from_mindrail_is_reserved() -> None:
    meeting = Rendezvous(world_size=2, host="127.0.0.1", port=20000, timeout=1)
    assert {*meeting.of_rank(0, 0), *meeting.of_scheduler()} <= RESERVED


def test_every_shipped_set_is_allowed_where_its_engine_is_ours() -> None:
    assert set(get_args(SetName)) == set(ENVIRONMENT_SETS)
    ours = [name for name, found in ENVIRONMENT_SETS.items() if found.engine == "mindspore"]
    assert set(get_args(MindSporeSet)) == set(ours)
    for name in ours:
        parse({"environment": dict(ENVIRONMENT_SETS[name].variables)}, Launch)
        assert not set(ENVIRONMENT_SETS[name].unset) & set(ENVIRONMENT_SETS[name].variables)
    with pytest.raises(MindrailError, match="environment_set: "):
        parse({"environment_set": "mindie-atb"}, Launch)


def test_only_variables_that_may_change_a_number_are_part_of_a_key() -> None:
    exported = {
        "MS_ENABLE_FORMAT_MODE": "1",
        "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
        "MS_MEMORY_POOL_RECYCLE": "1",
        "ASCEND_RT_VISIBLE_DEVICES": "0,1",
        "ASCEND_GLOBAL_LOG_LEVEL": "3",
        "HCCL_CONNECT_TIMEOUT": "1800",
    }
    assert list(number_changing(exported)) == ["MS_ENABLE_FORMAT_MODE", "ONEDNN_DEFAULT_FPMATH_MODE"]


_FOR_THE_SHELL = {"ASCEND_CUSTOM_PATH", "ASCEND_HOME_PATH", "LD_LIBRARY_PATH", "PYTHONPATH"}
_PER_RUN = {"ASCEND_RT_VISIBLE_DEVICES", "START_RANK"}


@pytest.mark.skipif(not CARDS.is_dir(), reason="../shared/cards is not here: the cards are not committed")
def test_every_variable_that_a_card_exports_is_in_its_set_or_is_set_otherwise() -> None:
    for card in sorted(CARDS.glob("*.md")):
        exported = dict(re.findall(r"export ([A-Z_]+)=(\S+)", card.read_text()))
        shipped: dict[str, str] = {}
        for found in ENVIRONMENT_SETS.values():
            shipped |= found.variables if found.card == card.stem else {}
        elsewhere = _FOR_THE_SHELL | _PER_RUN | RESERVED
        missing = {
            name: value
            for name, value in exported.items()
            if name not in elsewhere and shipped.get(name) != value.strip('"`')
        }
        assert missing == {}, card.name


def test_paths_are_not_taken_for_sets(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match="environment_set: "):
        parse({"environment_set": str(tmp_path)}, Launch)
