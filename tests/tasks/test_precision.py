"""`train.precision: auto` is one precision from the start of a run: in its key, its plan and its log."""

from __future__ import annotations

import pytest

import tasks.precision
from modelcore.config.reading import parse
from modelcore.config.runs import Finetune
from tasks.precision import log_precision, with_precision
from tasks.train_plan import plan_of

RUN = {"download": {"source": "codellama-7b"}, "preprocess": {"input": "rows.json"}}


def run(precision: str) -> Finetune:
    return parse({**RUN, "train": {"steps": 10, "precision": precision}}, Finetune)


@pytest.mark.parametrize(("units", "chosen"), [(("avx2",), "fp32"), (("avx2", "amx_bf16"), "bf16")])
def test_the_key_is_that_of_the_precision_which_the_processor_has(
    units: tuple[str, ...], chosen: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tasks.precision, "processor_units", lambda: units)
    monkeypatch.setattr(tasks.precision, "trains_on_ascend", lambda _: False)
    fixed = with_precision(run("auto"))
    assert fixed.key_parameters == run(chosen).key_parameters
    assert plan_of(fixed).precision == chosen
    log_precision(run("auto"))
    assert f"auto is {chosen}, because this processor has" in capsys.readouterr().err


def test_on_ascend_the_host_processor_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.precision, "processor_units", lambda: ("avx2",))
    monkeypatch.setattr(tasks.precision, "trains_on_ascend", lambda _: True)
    assert with_precision(run("auto")).train.precision == "bf16"


def test_a_named_precision_stays_and_is_not_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert with_precision(run("fp16")) == run("fp16")
    log_precision(run("fp16"))
    assert capsys.readouterr().err == ""
