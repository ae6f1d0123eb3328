"""Generates on the hosts of a cluster: each gets a share of the prompts, and a program of its own answers.

An answer depends on its request alone, so the shares put together are what one host writes. Every host must
see the checkpoint. Complete shares are in a journal, from which a killed job resumes.
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from modelcore.cluster.spread import connected, spread
from modelcore.cluster.spread_job import GenerateJob, do_spread
from modelcore.errors import MindrailError, StepFailed
from modelcore.generation.plan import GenerationPlan, read_plan
from modelcore.launching.gang import run_gang, run_program
from modelcore.progress import Progress
from modelcore.store.durable import replace_contents
from modelcore.store.journal import Journal, read_journal

__all__ = ["generate_on_hosts"]

_HANG_TIMEOUT_S = 1800.0  # without a token; compiling a large network takes minutes

Share = tuple[int, list[str]]


def generate_on_hosts(job: GenerateJob, progress: Progress) -> None:
    """Write the responses of a job's plan.

    Raises:
        MindrailError: there is no cluster, a host does not see the checkpoint, or the plan is bad.
        StepFailed: a share failed, or its hosts were lost too often.
    """
    plan = read_plan(Path(job.plan))
    lines = Path(plan.prompts).read_text(encoding="utf-8").rstrip("\n").split("\n")
    size = -(-len(lines) // job.cluster.hosts)
    shares = [(start, lines[start : start + size]) for start in range(0, len(lines), size)]
    path = Path(f"{plan.output}.shares")
    subject = {"fingerprint": plan.fingerprint(), "size": size}
    answers: dict[int, str] = dict(read_journal(path, subject))

    def report() -> None:
        done = sum(len(share) for start, share in shares if start in answers)
        progress(done, len(lines), "prompts", f"{len(answers)} of {len(shares)} hosts' shares")

    with connected(job.cluster.address), Journal(path, answers.items(), subject=subject) as journal:
        missing = (share for share in shares if share[0] not in answers)
        for (start, _), text in _answered(plan, job, missing, report):
            journal.append([start, text])
            answers[start] = text
            report()
    replace_contents(Path(plan.output), "".join(answers[start] for start, _ in shares).encode("ascii"))
    path.unlink()


def _answered(
    plan: GenerationPlan, job: GenerateJob, shares: Iterator[Share], alive: Callable[[], None]
) -> Iterator[tuple[Share, str]]:
    return spread(_generate, (plan, job.environment), shares, job.cluster, alive=alive)


def _generate(common: tuple[GenerationPlan, Mapping[str, str]], share: Share) -> str:
    """Return the responses to a share of the prompts, as JSON lines, generated on the host this runs on."""
    plan, environment = common
    if not Path(plan.checkpoint).is_dir():
        raise MindrailError(
            f"host {socket.gethostname()} does not see the checkpoint",
            where=plan.checkpoint,
            fix="put the store on a disk that all hosts share",
        )
    with tempfile.TemporaryDirectory(prefix="mindrail-") as name:
        place = Path(name)
        prompts, output = place / "prompts.jsonl", place / "responses.jsonl"
        prompts.write_text("\n".join(share[1]) + "\n", encoding="utf-8")
        own = plan.model_copy(update={"prompts": str(prompts), "output": str(output)})
        (place / "plan.json").write_text(json.dumps(own.model_dump(mode="json")))
        command = [sys.executable, "-m", "modelcore.generation.program", str(place / "plan.json")]
        try:
            if plan.model_parallel == 1:
                run_program(command, log_dir=place, environment=environment, hang_timeout=_HANG_TIMEOUT_S)
            else:
                run_gang(
                    command,
                    world_size=plan.model_parallel,
                    log_dir=place,
                    environment=environment,
                    hang_timeout=_HANG_TIMEOUT_S,
                )
        except StepFailed as error:  # it holds a process, which cannot be sent
            raise StepFailed(f"host {socket.gethostname()}: {error}") from None
        return output.read_text(encoding="ascii")


def main(arguments: list[str]) -> int:
    """Do the job in the file named by the only argument; return the exit code."""
    return do_spread(Path(arguments[0]), GenerateJob, generate_on_hosts)


if __name__ == "__main__":
    from modelcore.generation import on_hosts  # Ray sends functions of this module by value, of that by name

    sys.exit(on_hosts.main(sys.argv[1:]))
