"""The pool with real workers, at the strongest level that works here and at the weakest."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from modelcore.errors import MindrailError
from modelcore.sandbox import verdicts
from modelcore.sandbox.limits import MIB, Limits
from modelcore.sandbox.pool import Pool
from modelcore.sandbox.sample import Sample
from modelcore.sandbox.verdicts import Outcome

CHECK_THREE = "def check(f):\n    assert f(1, 2) == 3\n"
QUICK = Limits(seconds=1.0, memory=512 * MIB)


def sample(body: str, test: str = CHECK_THREE, helpers: str = "") -> Sample:
    return Sample(f"def f(x, y=0):\n{body}", helpers, test, "f", "seed")


@pytest.fixture(scope="module", params=["strongest", "landlock"])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    level = None if request.param == "strongest" else request.param
    try:
        started = Pool(workers=2, limits=QUICK, level=level)
    except MindrailError as unavailable:
        pytest.skip(str(unavailable))
    with started:
        yield started


def run(pool: Pool, one: Sample) -> Outcome:
    ((_, outcome),) = pool.run([(0, one)])
    return outcome


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("    return x + y", Outcome(verdicts.PASSED)),
        ("    return x - y", Outcome(verdicts.FAILED, "assert f(1, 2) == 3")),
        ("    return x / 0", Outcome(verdicts.ERROR, "ZeroDivisionError: division by zero")),
        ("    raise SystemExit(0)", Outcome(verdicts.ERROR, "SystemExit: 0")),
        ("    while True: pass", Outcome(verdicts.TIMED_OUT)),
        ("    import time; time.sleep(100)", Outcome(verdicts.TIMED_OUT)),
        ("    return [0] * 10**9", Outcome(verdicts.OUT_OF_MEMORY, "MemoryError")),
        ("    import ctypes; ctypes.string_at(0)", Outcome(verdicts.KILLED, "by signal 11")),
        ("    import os; os._exit(3)", Outcome(verdicts.ERROR, "exited with code 3 during the tests")),
        ("return 1", None),
    ],
)
def test_each_way_for_a_sample_to_end_has_its_verdict(
    pool: Pool, body: str, expected: Outcome | None
) -> None:
    outcome = run(pool, sample(body))
    if expected is None:
        assert outcome.verdict == verdicts.DID_NOT_COMPILE
        assert outcome.reason.startswith("IndentationError: expected an indented block")
    else:
        assert outcome == expected


def test_an_assertion_reports_its_own_message_if_it_has_one(pool: Pool) -> None:
    outcome = run(pool, sample("    return 0", "def check(f):\n    assert f(1) == 1, 'one is not kept'\n"))
    assert outcome == Outcome(verdicts.FAILED, "one is not kept")


def test_the_tests_use_the_prompts_helper_even_if_the_completion_redefines_it(pool: Pool) -> None:
    helpers = "def twice(x):\n    return 2 * x\n\ndef f(x):\n    ''' doc '''\n"
    test = "def check(f):\n    assert f(2) == twice(2)\n"
    assert run(pool, sample("    return 4", test, helpers)).passed
    assert not run(pool, sample("    return 0\ntwice = lambda x: 0", test, helpers)).passed


def test_a_test_may_use_classes_that_only_the_completion_defines(pool: Pool) -> None:
    body = "    return [p.a for p in x]\nclass P:\n    def __init__(self, a):\n        self.a = a"
    test = "def check(f):\n    p = P(1)\n    p.a = 5\n    assert f([p, P(2)]) == [5, 2] and p.a == 5\n"
    assert run(pool, sample(body, test)).passed


def test_a_change_in_place_is_visible_to_the_test(pool: Pool) -> None:
    test = "def check(f):\n    values = [3, 1]\n    f(values)\n    assert values == [1, 3]\n"
    assert run(pool, sample("    x.sort()", test)).passed
    assert not run(pool, sample("    x = sorted(x)", test)).passed


def test_an_exception_that_the_test_expects_reaches_it(pool: Pool) -> None:
    test = (
        "def check(f):\n    try:\n        f(1)\n    except ValueError as e:\n        assert str(e) == 'no'\n"
        "    else:\n        assert False\n"
    )
    assert run(pool, sample("    raise ValueError('no')", test)).passed
    assert not run(pool, sample("    pass", test)).passed


def test_the_test_can_iterate_an_iterator_of_the_completion(pool: Pool) -> None:
    test = "def check(f):\n    assert list(f(3)) == [0, 1, 2]\n"
    assert run(pool, sample("    return (i for i in range(x))", test)).passed


def test_a_test_that_catches_everything_does_not_pass_a_completion_that_ended(pool: Pool) -> None:
    test = "def check(f):\n    try:\n        f(1)\n    except BaseException:\n        pass\n"
    assert run(pool, sample("    import os; os._exit(0)", test)).verdict == verdicts.ERROR


def test_reasons_are_short_printable_and_without_addresses(pool: Pool) -> None:
    outcome = run(pool, sample("    raise ValueError('\\x1b[31m\\ud800 ' + repr(object()) + 'x' * 9999)"))
    assert outcome.reason.startswith("ValueError: \\x1b[31m\\ud800 <object object at 0x…>xxx")
    assert len(outcome.reason) == 200 and outcome.reason.isprintable()


def test_a_program_that_is_too_long_does_not_compile(pool: Pool) -> None:
    long = sample("    return 3 #" + "x" * QUICK.source)
    assert run(pool, long) == Outcome(
        verdicts.DID_NOT_COMPILE, f"{len(long.program)} characters, at most {QUICK.source}"
    )


def test_an_answer_that_is_too_large_is_an_error(pool: Pool) -> None:
    assert "bytes, at most" in run(pool, sample("    return 'x' * (17 * 2**20)")).reason


def test_string_hashes_and_random_numbers_are_the_same_in_every_run(pool: Pool) -> None:
    body = "    import random\n    return repr(set('abcdefgh')) + str(random.random())"
    reasons = {
        outcome.reason
        for _, outcome in pool.run(
            (i, sample(body, "def check(f):\n    raise ValueError(f(1))\n")) for i in range(4)
        )
    }
    assert len(reasons) == 1


def test_a_process_that_the_completion_forks_draws_the_same_numbers_in_every_run() -> None:
    body = (
        "    import os, random\n    readable, writable = os.pipe()\n"
        "    if os.fork() == 0:\n"
        "        os.write(writable, repr(random.random()).encode())\n        os._exit(0)\n"
        "    return os.read(readable, 99).decode()\n"
    )
    raising = sample(body, "def check(f):\n    raise ValueError(f(1))\n")
    with Pool(workers=2, limits=QUICK) as pool:
        if pool.level == "landlock":
            pytest.skip("no namespaces here, so completions may not fork")
        reasons = {outcome.reason for _, outcome in pool.run((i, raising) for i in range(4))}
    assert len(reasons) == 1 and reasons.pop().startswith("ValueError: 0.")


@pytest.mark.parametrize("module", ["threading", "hashlib", "datetime", "statistics", "tempfile"])
def test_completions_can_import_modules_that_the_zygote_has_not_loaded(pool: Pool, module: str) -> None:
    assert run(pool, sample(f"    import {module}\n    return x + y")).passed


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has no privileges to drop")
def test_no_process_that_reads_answers_is_root() -> None:
    before = psutil.Process().children(recursive=True)
    with Pool(workers=1, level="namespaces") as pool:
        assert run(pool, sample("    return x + y")).passed
        started = [child for child in psutil.Process().children(recursive=True) if child not in before]
        users = [process.uids().effective for process in started if process.name() == "score-worker"]
    assert len(users) == 1 and users != [0]


def test_load_does_not_turn_a_slow_right_answer_into_a_timeout() -> None:
    body = "    import time\n    while time.process_time() < 0.5: pass\n    return x + y"
    workers = 3 * len(os.sched_getaffinity(0))  # so each takes three times as long as it runs
    with Pool(workers=workers, limits=Limits(seconds=1.0)) as pool:
        outcomes = dict(pool.run((i, sample(body)) for i in range(workers)))
    assert all(outcome.passed for outcome in outcomes.values()), outcomes


@pytest.mark.parametrize(("threads", "expected"), [(1, verdicts.PASSED), (4, verdicts.TIMED_OUT)])
def test_the_processor_time_of_all_threads_counts(pool: Pool, threads: int, expected: str) -> None:
    body = (
        "    import threading, time\n"
        "    def burn():\n"
        "        while time.thread_time() < 0.4: pass\n"
        f"    threads = [threading.Thread(target=burn) for _ in range({threads})]\n"
        "    [t.start() for t in threads]\n"
        "    [t.join() for t in threads]\n"
        "    return x + y\n"
    )
    assert run(pool, sample(body)).verdict == expected


def test_a_worker_that_dies_is_replaced_and_its_sample_is_tried_again(pool: Pool) -> None:
    def samples() -> Iterator[tuple[int, Sample]]:
        for number in range(20):
            if number == 10:
                os.kill(psutil.Process().children()[-1].pid, signal.SIGKILL)
            yield number, sample("    return x + y")

    outcomes = dict(pool.run(samples()))
    assert len(outcomes) == 20 and all(outcome.passed for outcome in outcomes.values())


def test_a_signal_to_its_group_reaches_no_other_sample(pool: Pool) -> None:
    """The next sample's process is ready while one runs, under the same user id."""
    kill = "    import os\n    try: os.kill(0, 9)\n    except OSError: pass\n    return x - y"
    rest = "    import time\n    time.sleep(0.1)\n    return x + y"
    outcomes = dict(pool.run((i, sample(rest if i % 2 else kill)) for i in range(12)))
    assert [outcomes[i].passed for i in range(12)] == [False, True] * 6


def test_a_pool_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    before = psutil.Process().children(recursive=True)
    with Pool(workers=2, limits=QUICK, scratch_directory=tmp_path, level="landlock") as pool:
        started = [child for child in psutil.Process().children(recursive=True) if child not in before]
        body = "    import os\n    os.mkdir('d')\n    open('d/file', 'w').write('x')\n    return x + y"
        assert all(outcome.passed for _, outcome in pool.run((i, sample(body)) for i in range(4)))
        assert [path for path in tmp_path.rglob("*") if not path.name.startswith("worker-")] == []
    _, alive = psutil.wait_procs(started, timeout=60)
    assert alive == []


def test_a_level_below_the_minimum_is_not_used() -> None:
    strongest = "namespaces" if os.geteuid() == 0 else "user_namespaces"
    try:
        with Pool(workers=1, minimum=strongest) as pool:
            assert pool.level == strongest
    except MindrailError as refused:
        assert f"no isolation good enough for running completions ({strongest}: " in str(refused)
        assert "landlock" not in str(refused)


def test_an_unknown_level_is_refused_with_the_known_ones() -> None:
    message = "isolation level 'vm' does not exist; use landlock or user_namespaces or namespaces"
    with pytest.raises(MindrailError) as as_minimum:
        Pool(workers=1, minimum="vm")
    with pytest.raises(MindrailError) as as_level:
        Pool(workers=1, level="vm")
    assert str(as_minimum.value) == str(as_level.value) == message


def test_a_level_of_other_users_is_refused() -> None:
    other = "user_namespaces" if os.geteuid() == 0 else "namespaces"
    with pytest.raises(MindrailError, match=f"isolation level {other} is not for this user; use landlock or"):
        Pool(workers=1, level=other)


@pytest.mark.skipif(os.geteuid() == 0, reason="root gets the highest level")
def test_the_highest_level_is_refused_to_an_ordinary_user() -> None:
    with pytest.raises(MindrailError, match="no isolation good enough"):
        Pool(workers=1, minimum="namespaces")
