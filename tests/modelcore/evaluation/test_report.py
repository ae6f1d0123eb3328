"""score.json: its bytes are fixed, an old one is read, and what is not one is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Benchmark
from modelcore.evaluation.conditions import BenchmarkRecord, Conditions, SamplesRecord, TemplateRecord
from modelcore.evaluation.passk import PassAtK
from modelcore.evaluation.report import ProblemScore, ScoreReport, read_report, report_of, write_report
from modelcore.sandbox.isolation import NOT_HIDDEN
from modelcore.sandbox.limits import Limits
from modelcore.sandbox.verdicts import Outcome

CONDITIONS = Conditions(
    benchmark=BenchmarkRecord("tiny", "b1", 2),
    samples=SamplesRecord(3, "s1"),
    template=TemplateRecord("alpaca", 1, "fenced"),
    standalone=False,
    limits=Limits(packages=("numpy",)),
    isolation="landlock",
    python={"python": "3.11.2", "numpy": "1.26.4"},
)
PASSED, FAILED = Outcome("passed"), Outcome("failed", "assert f(1) == 2")
REPORT = ScoreReport(
    conditions=CONDITIONS,
    missing=("Tiny/1",),
    pass_at_k=(PassAtK(1, 0.5, 0.5, 0.5),),
    verdicts={"passed": 1, "failed": 1},
    problems=(ProblemScore("Tiny/0", 2, 1, ("passed", "failed"), ("", "assert f(1) == 2")),),
)
FORM_1 = """{
 "benchmark": {
  "digest": "b1",
  "name": "tiny",
  "problems": 2
 },
 "form": 1,
 "isolation": "landlock",
 "limits": {
  "answer": 16777216,
  "disk": 134217728,
  "file_bytes": 67108864,
  "memory": 1073741824,
  "open_files": 128,
  "packages": [
   "numpy"
  ],
  "processes": 128,
  "seconds": 3.0,
  "source": 250000
 },
 "missing": [
  "Tiny/1"
 ],
 "pass_at_k": [
  {
   "high": 0.5,
   "k": 1,
   "low": 0.5,
   "value": 0.5
  }
 ],
 "problems": [
  {
   "correct": 1,
   "reasons": [
    "",
    "assert f(1) == 2"
   ],
   "samples": 2,
   "task_id": "Tiny/0",
   "verdicts": [
    "passed",
    "failed"
   ]
  }
 ],
 "python": {
  "numpy": "1.26.4",
  "python": "3.11.2"
 },
 "samples": {
  "digest": "s1",
  "rows": 3
 },
 "standalone": false,
 "template": {
  "extractor": "fenced",
  "name": "alpaca",
  "version": 1
 },
 "verdicts": {
  "failed": 1,
  "passed": 1
 }
}
"""


def test_the_bytes_of_form_1_stay_and_are_read(tmp_path: Path) -> None:
    path = tmp_path / "score.json"
    write_report(REPORT, path)
    not_hidden = json.dumps({"not_hidden": NOT_HIDDEN["landlock"]}, indent=1)[2:-2]
    assert path.read_text() == FORM_1.replace(' "pass_at_k"', f'{not_hidden},\n "pass_at_k"', 1)
    assert read_report(path) == REPORT
    path.write_text(FORM_1)  # as it was before it said what the level does not hide
    assert read_report(path) == REPORT


def test_outcomes_become_a_table_in_the_benchmarks_order(tiny: Benchmark) -> None:
    outcomes = {"Tiny/1": [PASSED, PASSED], "Tiny/0": [FAILED, PASSED]}
    report = report_of(CONDITIONS, (), outcomes, tiny, (2, 1, 2))
    assert report.problems == (
        ProblemScore("Tiny/0", 2, 1, ("failed", "passed"), ("assert f(1) == 2", "")),
        ProblemScore("Tiny/1", 2, 2, ("passed", "passed"), ("", "")),
    )
    assert [(score.k, score.value) for score in report.pass_at_k] == [(1, 0.75), (2, 1.0)]
    assert report.verdicts == {
        "passed": 3, "failed": 1, "error": 0, "timed out": 0, "out of memory": 0, "killed": 0,
        "did not compile": 0,
    }  # fmt: skip
    assert report.conditions is CONDITIONS


def test_tasks_without_samples_do_not_count(tiny: Benchmark) -> None:
    report = report_of(CONDITIONS, ("Tiny/1",), {"Tiny/0": [PASSED]}, tiny, (1,))
    assert report.missing == ("Tiny/1",)
    assert [problem.task_id for problem in report.problems] == ["Tiny/0"]
    assert [score.value for score in report.pass_at_k] == [1.0]


def test_pass_at_k_is_looked_up_by_k() -> None:
    assert REPORT.passed() == REPORT.passed(1) == PassAtK(1, 0.5, 0.5, 0.5)
    assert REPORT.passed(10) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "not a score.json ('form')"),
        ("[]", "not a score.json (list indices"),
        ("", "not a score.json (Expecting value"),
        ('{"form": 2}', "not of form 1; score the samples again"),
        (FORM_1.replace('"missing"', '"lost"'), "not a score.json ('missing')"),
        (FORM_1.replace('"rows"', '"lines"'), "not a score.json ("),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "score.json"
    path.write_text(content)
    with pytest.raises(MindrailError) as error:
        read_report(path)
    assert str(error.value).startswith(f"{path}: {message}")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match=r"score\.json: no such file; score the samples first"):
        read_report(tmp_path / "score.json")
