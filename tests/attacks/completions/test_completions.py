"""Every hostile completion gets its verdict, the scorer survives, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import psutil
import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.benchmarks import Problem, load_benchmark
from modelcore.sandbox.limits import DEFAULT_LIMITS, Limits
from modelcore.sandbox.pool import Pool
from modelcore.sandbox.sample import Sample
from modelcore.sandbox.verdicts import Outcome
from tests.paths import ROOT

from .attacks import ATTACKS
from .escaping import ESCAPING
from .forging import FORGING
from .obvious import REACHING

SHORT = Limits(seconds=0.7)
VICTIM = Path("/tmp/hostile_victim")  # the path that one of the shared completions deletes
PORT = 18999  # the port that one of them connects to


@dataclass(frozen=True)
class Case:
    name: str
    sample: Sample
    passes: bool


@cache
def problems() -> dict[str, Problem]:
    return {problem.task_id: problem for problem in load_benchmark("humaneval").problems}


def case_of(name: str, task_id: str, completion: str, passes: bool) -> Case:
    problem = problems()[task_id]
    program = problem.prompt + completion
    return Case(name, Sample(program, problem.prompt, problem.test, problem.entry_point, task_id), passes)


def own_cases(level: str, *, slow_honest: bool) -> list[Case]:
    """The attacks of this folder. Code that needs child processes cannot pass where none are allowed."""
    chosen = [a for a in ATTACKS if slow_honest or a.name not in ("ok_sleep", "ok_busy")]
    return [
        case_of(a.name, a.task_id, a.completion, a.passes and not (a.forks and level == "landlock"))
        for a in chosen
    ]


@pytest.fixture(scope="module")
def shared_cases(shared_data: Path) -> list[Case]:
    rows = map(json.loads, (shared_data / "hostile" / "hostile.jsonl").read_text().splitlines())
    return [case_of(row["name"], row["task_id"], row["completion"], row["expected"]) for row in rows]


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Check afterwards that no process and no shared memory was left behind."""
    before = psutil.Process().children(recursive=True)
    shared_memory = set(Path("/dev/shm").iterdir())
    yield
    left = [path for path in Path("/dev/shm").iterdir() if "left-behind" in path.name]
    assert set(left) <= shared_memory
    assert [child for child in psutil.Process().children(recursive=True) if child not in before] == []


@pytest.fixture
def targets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The targets that shared completions attack by fixed name: a file, a port, an environment variable."""
    monkeypatch.setenv("HOSTILE_CANARY", "1")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", PORT))
        except OSError:
            pytest.skip(
                f"port {PORT}, which one of the completions attacks, is taken: another run of this test?"
            )
        listener.listen()
        listener.setblocking(False)
        VICTIM.write_text("victim")
        yield
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert VICTIM.exists()
    VICTIM.unlink()


def wrong_verdicts(cases: list[Case], outcomes: dict[int, Outcome]) -> list[tuple[str, Outcome]]:
    return [(c.name, outcomes[i]) for i, c in enumerate(cases) if outcomes[i].passed != c.passes]


def run_all(cases: list[Case], level: str, workers: int, limits: Limits, rounds: int = 1) -> None:
    with leaving_nothing():
        try:
            pool = Pool(workers=workers, limits=limits, level=level)
        except MindrailError as unavailable:
            pytest.skip(str(unavailable))
        with pool:
            for _ in range(rounds):
                outcomes = dict(pool.run((i, case.sample) for i, case in enumerate(cases)))
                assert wrong_verdicts(cases, outcomes) == []
                assert all(len(o.result) < 240 and o.result.isprintable() for o in outcomes.values())


def strongest() -> str:
    return "namespaces" if os.geteuid() == 0 else "user_namespaces"


@pytest.mark.parametrize("level", [strongest(), "landlock"])
def test_our_own_attacks_get_their_verdict(level: str) -> None:
    run_all(own_cases(level, slow_honest=False), level, 6, SHORT)


@pytest.mark.usefixtures("targets")
@pytest.mark.parametrize("level", [strongest(), "landlock"])
def test_nothing_outside_is_reached(level: str) -> None:
    cases = [case_of(a.name, a.task_id, a.completion, a.passes) for a in REACHING]
    run_all(cases, level, 6, SHORT)


@pytest.mark.parametrize("level", [strongest(), "landlock"])
def test_no_datagram_reaches_a_socket_of_the_machine(level: str) -> None:
    path = Path("/tmp/hostile_socket")
    path.unlink(missing_ok=True)
    (attack,) = (attack for attack in ESCAPING if attack.name == "datagram_by_path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        path.chmod(0o777)
        listener.setblocking(False)
        run_all([case_of(attack.name, attack.task_id, attack.completion, attack.passes)], level, 1, SHORT)
        with pytest.raises(BlockingIOError):
            listener.recv(10)
    path.unlink()


@pytest.mark.usefixtures("targets")
def test_the_shared_attacks_get_their_verdict(shared_cases: list[Case]) -> None:
    run_all(shared_cases, strongest(), 6, SHORT)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("targets")
@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("level", [strongest(), "landlock"])
def test_all_attacks_get_their_verdict_twice(shared_cases: list[Case], level: str, workers: int) -> None:
    cases = shared_cases + own_cases(level, slow_honest=True)
    run_all(cases, level, workers, DEFAULT_LIMITS, rounds=2)


PROGRAM = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from modelcore.sandbox.limits import Limits
from modelcore.sandbox.pool import Pool
from modelcore.sandbox.sample import Sample
cases = json.load(sys.stdin)
limits = Limits(seconds=float(sys.argv[3]), packages=())
with Pool(workers=int(sys.argv[4]), limits=limits, level=sys.argv[2] or None) as pool:
    outcomes = dict(pool.run((i, Sample(**case["sample"])) for i, case in enumerate(cases)))
    wrong = [(c["name"], str(outcomes[i])) for i, c in enumerate(cases) if outcomes[i].passed != c["passes"]]
    print(json.dumps({"level": pool.level, "user": os.getuid(), "wrong": wrong}))
"""


def run_as_nobody(cases: list[Case], level: str, seconds: float, workers: int) -> None:
    """Score as an unprivileged user, with an interpreter that such a user can start."""
    setpriv, python = shutil.which("setpriv"), shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if os.geteuid() != 0 or setpriv is None or python is None:
        pytest.skip("needs root (to change the user), setpriv and a python3 that every user may run")
    rows = json.dumps([asdict(case) for case in cases if "numpy" not in case.name])
    command = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", python, "-B", "-c", PROGRAM]
    arguments = [str(ROOT), level, str(seconds), str(workers)]
    with leaving_nothing():
        done = subprocess.run([*command, *arguments], input=rows, capture_output=True, text=True, cwd="/")
    if "no isolation good enough" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["user"] == 65534 and answer["wrong"] == []
    assert answer["level"] == (level or "user_namespaces")


@pytest.mark.parametrize("level", ["", "landlock"])
def test_attempts_to_escape_fail_under_an_ordinary_user_too(level: str) -> None:
    names = {attack.name for attack in (*ESCAPING, *FORGING)}
    cases = [case for case in own_cases(level, slow_honest=False) if case.name in names]
    run_as_nobody(cases, level, SHORT.seconds, 6)


@pytest.mark.long
@pytest.mark.usefixtures("targets")
@pytest.mark.parametrize("level", ["", "landlock"])
def test_all_attacks_get_their_verdict_under_an_ordinary_user(shared_cases: list[Case], level: str) -> None:
    run_as_nobody(shared_cases + own_cases(level, slow_honest=True), level, 3.0, 4)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_memory_of_the_scorer_does_not_grow_with_hostile_samples() -> None:
    process = psutil.Process()
    bulky = [case for case in own_cases("landlock", slow_honest=False) if case.name == "huge_prefix"]
    with Pool(workers=2, limits=SHORT) as pool:
        before = process.memory_info().rss
        dict(pool.run((i, bulky[0].sample) for i in range(100)))
        assert process.memory_info().rss - before < 50 << 20
