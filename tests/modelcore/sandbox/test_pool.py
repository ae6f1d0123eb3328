"""The pool with real workers, at the strongest level there is here and at the weakest."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from modelcore.errors import MindrailError
from modelcore.sandbox import verdicts
from modelcore.sandbox.isolation import LEVELS
from modelcore.sandbox.limits import MIB, Limits
from modelcore.sandbox.pool import Pool
from modelcore.sandbox.trial import Trial
from modelcore.sandbox.verdicts import Outcome

CHECK_THREE = "def check(f):\n    assert f(1, 2) == 3\n"
QUICK = Limits(seconds=1.0, memory=512 * MIB)


def trial(body: str, test: str = CHECK_THREE, helpers: str = "") -> Trial:
    return Trial(f"def f(x, y=0):\n{body}", helpers, test, "f", "seed")


@pytest.fixture(scope="module", params=["strongest", "landlock"])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    level = None if request.param == "strongest" else request.param
    try:
        made = Pool(workers=2, limits=QUICK, level=level)
    except MindrailError as unavailable:
        pytest.skip(str(unavailable))
    with made:
        yield made


def one(pool: Pool, sample: Trial) -> Outcome:
    ((_, outcome),) = pool.run([(0, sample)])
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
def test_each_end_of_a_sample_has_its_verdict(pool: Pool, body: str, expected: Outcome | None) -> None:
    outcome = one(pool, trial(body))
    if expected is None:
        assert outcome.verdict == verdicts.DID_NOT_COMPILE
        assert outcome.reason.startswith("IndentationError: expected an indented block")
    else:
        assert outcome == expected


def test_an_assertion_gives_its_own_message_if_it_has_one(pool: Pool) -> None:
    outcome = one(pool, trial("    return 0", "def check(f):\n    assert f(1) == 1, 'one is not kept'\n"))
    assert outcome == Outcome(verdicts.FAILED, "one is not kept")


def test_the_tests_use_the_prompts_helper_whatever_the_completion_makes_of_it(pool: Pool) -> None:
    helpers = "def twice(x):\n    return 2 * x\n\ndef f(x):\n    ''' doc '''\n"
    test = "def check(f):\n    assert f(2) == twice(2)\n"
    assert one(pool, trial("    return 4", test, helpers)).passed
    assert not one(pool, trial("    return 0\ntwice = lambda x: 0", test, helpers)).passed


def test_a_test_may_use_classes_that_only_the_completion_defines(pool: Pool) -> None:
    body = "    return [p.a for p in x]\nclass P:\n    def __init__(self, a):\n        self.a = a"
    test = "def check(f):\n    p = P(1)\n    p.a = 5\n    assert f([p, P(2)]) == [5, 2] and p.a == 5\n"
    assert one(pool, trial(body, test)).passed


def test_a_change_made_in_place_is_seen_by_the_test(pool: Pool) -> None:
    test = "def check(f):\n    values = [3, 1]\n    f(values)\n    assert values == [1, 3]\n"
    assert one(pool, trial("    x.sort()", test)).passed
    assert not one(pool, trial("    x = sorted(x)", test)).passed


def test_an_exception_that_the_test_expects_reaches_it(pool: Pool) -> None:
    test = (
        "def check(f):\n    try:\n        f(1)\n    except ValueError as e:\n        assert str(e) == 'no'\n"
        "    else:\n        assert False\n"
    )
    assert one(pool, trial("    raise ValueError('no')", test)).passed
    assert not one(pool, trial("    pass", test)).passed


def test_iterators_can_be_iterated_by_the_test(pool: Pool) -> None:
    test = "def check(f):\n    assert list(f(3)) == [0, 1, 2]\n"
    assert one(pool, trial("    return (i for i in range(x))", test)).passed


def test_a_test_that_swallows_everything_does_not_pass_a_completion_that_is_gone(pool: Pool) -> None:
    test = "def check(f):\n    try:\n        f(1)\n    except BaseException:\n        pass\n"
    assert one(pool, trial("    import os; os._exit(0)", test)).verdict == verdicts.ERROR


def test_reasons_are_short_printable_and_without_addresses(pool: Pool) -> None:
    outcome = one(pool, trial("    raise ValueError('\\x1b[31m\\ud800 ' + repr(object()) + 'x' * 9999)"))
    assert outcome.reason.startswith("ValueError: \\x1b[31m\\ud800 <object object at 0x…>xxx")
    assert len(outcome.reason) == 200 and outcome.reason.isprintable()


def test_a_program_that_is_too_long_does_not_compile(pool: Pool) -> None:
    long = trial("    return 3 #" + "x" * QUICK.source)
    assert one(pool, long) == Outcome(
        verdicts.DID_NOT_COMPILE, f"{len(long.program)} characters, at most {QUICK.source}"
    )


def test_an_answer_that_is_too_large_is_an_error(pool: Pool) -> None:
    assert "bytes, at most" in one(pool, trial("    return 'x' * (17 * 2**20)")).reason


def test_string_hashes_and_random_numbers_are_the_same_in_every_run(pool: Pool) -> None:
    body = "    import random\n    return repr(set('abcdefgh')) + str(random.random())"
    reasons = {
        outcome.reason
        for _, outcome in pool.run(
            (i, trial(body, "def check(f):\n    raise ValueError(f(1))\n")) for i in range(4)
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
    raising = trial(body, "def check(f):\n    raise ValueError(f(1))\n")
    with Pool(workers=2, limits=QUICK) as pool:
        if pool.level == "landlock":
            pytest.skip("no namespaces here, so completions may not fork")
        reasons = {outcome.reason for _, outcome in pool.run((i, raising) for i in range(4))}
    assert len(reasons) == 1 and reasons.pop().startswith("ValueError: 0.")


@pytest.mark.parametrize("module", ["threading", "hashlib", "datetime", "statistics", "tempfile"])
def test_completions_import_what_the_process_they_are_forked_from_has_not(pool: Pool, module: str) -> None:
    assert one(pool, trial(f"    import {module}\n    return x + y")).passed


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user has nothing to give up")
def test_no_process_that_reads_answers_is_root() -> None:
    before = psutil.Process().children(recursive=True)
    with Pool(workers=1, level="namespaces") as pool:
        assert one(pool, trial("    return x + y")).passed
        family = [child for child in psutil.Process().children(recursive=True) if child not in before]
        users = [process.uids().effective for process in family if process.name() == "score-worker"]
    assert len(users) == 1 and users != [0]


def test_load_does_not_turn_a_slow_right_answer_into_a_timeout() -> None:
    body = "    import time\n    while time.process_time() < 0.5: pass\n    return x + y"
    crowd = 3 * len(os.sched_getaffinity(0))  # so each takes three times as long as it runs
    with Pool(workers=crowd, limits=Limits(seconds=1.0)) as pool:
        outcomes = dict(pool.run((i, trial(body)) for i in range(crowd)))
    assert all(outcome.passed for outcome in outcomes.values()), outcomes


def test_two_threads_use_their_time_twice_as_fast(pool: Pool) -> None:
    body = (
        "    import hashlib, threading\n"
        "    def burn():\n"
        "        while True: hashlib.sha256(bytes(10**6)).digest()\n"
        "    threads = [threading.Thread(target=burn) for _ in range(4)]\n"
        "    [t.start() for t in threads]\n"
        "    [t.join() for t in threads]\n"
    )
    assert one(pool, trial(body)) == Outcome(verdicts.TIMED_OUT)


def test_a_worker_that_dies_is_replaced_and_its_sample_tried_again(pool: Pool) -> None:
    def samples() -> Iterator[tuple[int, Trial]]:
        for number in range(20):
            if number == 10:
                os.kill(psutil.Process().children()[-1].pid, signal.SIGKILL)
            yield number, trial("    return x + y")

    outcomes = dict(pool.run(samples()))
    assert len(outcomes) == 20 and all(outcome.passed for outcome in outcomes.values())


def test_a_pool_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    before = psutil.Process().children(recursive=True)
    with Pool(workers=2, limits=QUICK, scratch_directory=tmp_path, level="landlock") as pool:
        started = [child for child in psutil.Process().children(recursive=True) if child not in before]
        body = "    import os\n    os.mkdir('d')\n    open('d/file', 'w').write('x')\n    return x + y"
        assert all(outcome.passed for _, outcome in pool.run((i, trial(body)) for i in range(4)))
        assert [path for path in tmp_path.rglob("*") if not path.name.startswith("worker-")] == []
    _, alive = psutil.wait_procs(started, timeout=5)
    assert alive == []


def test_a_level_below_the_required_one_is_not_used() -> None:
    with Pool(workers=1, minimum="landlock") as pool:
        assert pool.level in LEVELS
    with pytest.raises(MindrailError, match="isolation level 'vm', known are landlock"):
        Pool(workers=1, minimum="vm")


@pytest.mark.skipif(os.geteuid() == 0, reason="root gets the highest level")
def test_the_highest_level_is_refused_to_an_ordinary_user() -> None:
    with pytest.raises(MindrailError, match="no isolation good enough"):
        Pool(workers=1, minimum="namespaces")
