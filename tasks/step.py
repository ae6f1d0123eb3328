"""What every step shares: built through the store, shown on the dashboard, retried if it may pass.

A task here names its inputs and parameters and hands the work to modelcore. Prefect neither caches
nor persists: the store decides what has to be built, and a hit ends its task run as `Cached`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Completed

from modelcore.errors import MindrailError, StepFailed
from modelcore.progress import Progress
from modelcore.store.store import Store
from tasks.dashboard import DashboardProgress, is_watched
from tasks.progress import say, shown_progress

__all__ = ["Outcome", "Step", "build_step", "finished", "step_task"]

P = ParamSpec("P")


@dataclass(frozen=True)
class Step:
    """An artifact as the next steps and the report see it.

    `seconds` is the time taken now, `built_in` the time it took when it was built.
    """

    name: str
    path: Path
    digest: str
    cached: bool
    seconds: float
    size: int
    built_in: float
    inputs: dict[str, str] = field(default_factory=dict)


Outcome = Step | State


def build_step(
    store: Store,
    name: str,
    build: Callable[[Path, Progress], object],
    *,
    version: int,
    inputs: Mapping[str, str],
    parameters: Mapping[str, Any],
    label: str = "",
) -> Outcome:
    """Build a step's artifact, or find it, and return what its task should end with.

    Args:
        store: where artifacts lie.
        name: the step's name, a directory of the store.
        build: does the work in the directory it is given, telling its progress.
        version: see `Store.build`.
        inputs: digests of what the step reads.
        parameters: what else the output depends on.
        label: the name to show, where one run has the same step twice.
    """
    title = label or name
    others = [DashboardProgress(title)] if is_watched() else []
    with shown_progress(title, *others) as progress:
        built = store.build(
            name,
            lambda directory: build(directory, progress),
            version=version,
            inputs=inputs,
            parameters=parameters,
            on_wait=lambda: say(f"{title}: another run is building the same thing; waiting for it"),
        )
    artifact = built.artifact
    step = Step(
        title,
        artifact.path,
        artifact.digest,
        built.cached,
        built.seconds,
        artifact.manifest.size,
        artifact.manifest.seconds,
        artifact.manifest.inputs,
    )
    if built.cached:
        return Completed(name="Cached", message=f"found in the store: {artifact.path}", data=step)
    return step


def finished(outcome: Outcome) -> Step:
    """Return the step that a task ended with, built or cached."""
    if isinstance(outcome, Step):
        return outcome
    step: Step = outcome.result()
    return step


def step_task(name: str, *, retries: int = 0, delays: tuple[float, ...] = ()) -> Callable[..., Any]:
    """Make a Prefect task of a step; `StepFailed` is tried again, `MindrailError` and bugs are not."""
    return task(
        name=name,
        task_run_name=name,
        retries=retries,
        retry_delay_seconds=list(delays) or None,
        retry_condition_fn=_may_pass,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def _may_pass(task: Task[..., Any], run: TaskRun, state: State) -> bool:
    """Say whether another attempt may succeed, and tell the user about it."""
    try:
        state.result(raise_on_failure=True)
    except StepFailed as failure:
        say(f"{task.name}: attempt {run.run_count} failed: {failure}")
        return True
    except MindrailError:
        return False
    except Exception:  # noqa: BLE001  a bug: the engine raises it, whatever is answered here
        return False
    return False
