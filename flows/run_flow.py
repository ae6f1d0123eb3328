"""What every flow shares: its name, and a reporter that talks to the server while it runs."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar, get_type_hints

from prefect import Flow, flow
from prefect.context import FlowRunContext

from tasks.reporter import reporting

__all__ = ["run_flow"]

P = ParamSpec("P")
R = TypeVar("R")

_GREEK = (
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|omicron|pi|rho|sigma|tau|upsilon|"
    "phi|chi|psi|omega"
)
_GENERATED_NAME = re.compile(rf"[a-z]+-[a-z]+|({_GREEK})\d+-[a-z'-]+")
"""As Prefect's server makes them (crimson-otter), and as its form suggests them (zeta291-lazon)."""


def run_flow(name: str, *, run_name: str) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Make a Prefect flow of a function.

    Args:
        name: of the flow.
        run_name: of its runs, a template of the parameters; a name that a person gave stays.
    """

    def decorate(function: Callable[P, R]) -> Flow[P, R]:
        @functools.wraps(function)
        def work(*args: P.args, **kwargs: P.kwargs) -> R:
            with reporting():
                return function(*args, **kwargs)

        # Prefect reads types to validate parameters; names in annotations are those of the function's module.
        setattr(work, "__signature__", inspect.signature(function, eval_str=True))  # noqa: B010  mypy
        work.__annotations__ = get_type_hints(function, include_extras=True)
        return flow(
            name=name, flow_run_name=_kept_or(run_name), persist_result=False, validate_parameters=True
        )(work)

    return decorate


def _kept_or(template: str) -> Callable[[], str]:
    def run_name() -> str:
        context = FlowRunContext.get()
        assert context is not None and context.flow_run is not None  # Prefect asks within the run
        given = context.flow_run.name
        if not _GENERATED_NAME.fullmatch(given):
            return given
        return template.format(**(context.parameters or {}))

    return run_name
