"""What every step shares: built through the store, shown on the dashboard, retried where that may help.

A task names its inputs and parameters and hands the work to modelcore. Prefect neither caches nor persists:
the store decides what has to be built, and a hit ends its task run as `Cached`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeAlias, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Completed

from modelcore.errors import MindrailError, StepFailed
from modelcore.progress import Progress
from modelcore.store.store import Built, Store
from modelcore.units import format_bytes
from tasks.dashboard import DashboardProgress
from tasks.log import log, log_run
from tasks.progress import shown_progress
from tasks.step import Step

__all__ = ["Outcome", "build_step", "finished", "step_task"]

P = ParamSpec("P")
R = TypeVar("R")

Outcome: TypeAlias = Step | State[Step]
"""What a step's task ends with: the step, or the state `Cached` that holds it."""


def build_step(
    store: Store,
    name: str,
    build: Callable[[Path, Progress], object],
    *,
    version: int,
    inputs: Mapping[str, str],
    parameters: Mapping[str, Any],
    recorded: Mapping[str, Any] = {},
    label: str = "",
) -> Outcome:
    """Build a step's artifact, or find it, and return what its task should end with.

    Args:
        store: holds the artifacts.
        name: the step's name, a directory of the store.
        build: does the work in a directory, and reports its progress.
        version: see `Store.build`.
        inputs: digests of what the step reads.
        parameters: what else the output depends on.
        recorded: see `Store.build`.
        label: the name to show, where one run has the same step twice.
    """
    title = label or name
    log_run(f"{title}: started")
    dashboard = DashboardProgress(title)
    with dashboard, shown_progress(title, dashboard) as progress:
        built = store.build(
            name,
            lambda directory: build(directory, progress),
            version=version,
            inputs=inputs,
            parameters=parameters,
            recorded=recorded,
            on_wait=lambda: log(f"{title}: another run is building the same thing; waiting for it"),
        )
    step = _step_of(title, built)
    if built.cached:
        log_run(f"{title}: cached, {format_bytes(step.size)}: {step.path}")
        return Completed(name="Cached", message=f"found in the store: {step.path}", data=step)
    log_run(f"{title}: built in {built.seconds:.1f} s, {format_bytes(step.size)}: {step.path}")
    return step


def finished(outcome: Outcome) -> Step:
    """Return the step that a task ended with, built or cached."""
    return outcome if isinstance(outcome, Step) else outcome.result()


def step_task(
    name: str, *, run_name: str = "", retries: int = 0, delays: tuple[float, ...] = ()
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a Prefect task of a step; `StepFailed` is retried, `MindrailError` and bugs are not.

    Args:
        name: of the task and of its runs.
        run_name: of its runs, where one run has the same step twice: a template of the parameters.
        retries: attempts after the first.
        delays: seconds before each of them.
    """
    return task(
        name=name,
        task_run_name=run_name or name,
        retries=retries,
        retry_delay_seconds=list(delays) or None,
        retry_condition_fn=_can_be_retried,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def _step_of(title: str, built: Built) -> Step:
    manifest = built.artifact.manifest
    return Step(
        name=title,
        path=built.artifact.path,
        digest=manifest.digest,
        cached=built.cached,
        seconds=built.seconds,
        size=manifest.size,
        built_in=manifest.seconds,
        inputs=manifest.inputs,
    )


def _can_be_retried(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Return whether another attempt may succeed, and log why the last one failed."""
    try:
        state.result(raise_on_failure=True)
    except StepFailed as failure:
        log(f"{task.name}: attempt {run.run_count} failed: {failure}")
        return True
    except MindrailError:
        return False
    except Exception:  # noqa: BLE001  a bug: the engine raises it, whatever is answered here
        return False
    return False
