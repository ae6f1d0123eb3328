"""The trusted side: runs a benchmark's tests against a completion that lives in another process.

The tests see stand-ins for what the completion defines. The prompt's imports and helper functions are run
again here, so the tests use the benchmark's own, whatever the completion made of them.
"""

from __future__ import annotations

import ast
import builtins
import random
import traceback
import types
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from modelcore.sandbox import verdicts
from modelcore.sandbox.remote import BadAnswer, Completion, RemoteFunction
from modelcore.sandbox.verdicts import Outcome, outcome
from modelcore.sandbox.wire import ChannelClosed

__all__ = ["Trial", "prepare", "run_trial"]

_TEST_FILE = "<test>"
_PREPARED = 1024


@dataclass(frozen=True)
class Trial:
    """One sample with what is needed to judge it.

    Args:
        program: the whole source the completion's process runs.
        helpers: the benchmark's own source whose definitions the tests may use (the prompt).
        test: source that defines `check(candidate)`.
        entry_point: the name of the function under test.
        seed: seeds `random`, so that tests with random inputs are the same every time.
    """

    program: str
    helpers: str
    test: str
    entry_point: str
    seed: str


def run_trial(trial: Trial, completion: Completion) -> Outcome:
    """Run the program, then the tests; return the outcome. `prepare` was called.

    Raises:
        ChannelClosed: the completion's process is gone; the caller knows why.
    """
    loaded = completion.run(trial.program)
    if "compile" in loaded:
        return outcome(verdicts.DID_NOT_COMPILE, _named(loaded["compile"]))
    if "error" in loaded:
        return _error_outcome(loaded["error"])
    try:
        _run_check(trial, completion)
        if completion.is_gone:  # and the test took no notice
            raise ChannelClosed
    except BadAnswer as bad:
        return outcome(verdicts.ERROR, str(bad))
    except AssertionError as failed:
        if completion.failure is not None:
            return _error_outcome([[completion.failure[0]], completion.failure[1]])
        return outcome(verdicts.FAILED, _assertion(failed, trial.test))
    except Exception as error:  # noqa: BLE001 - a test may raise anything at an unexpected answer
        return _test_error(error, completion)
    except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        return _test_error(error, completion)
    return outcome(verdicts.PASSED)


def _run_check(trial: Trial, completion: Completion) -> None:
    names: dict[str, Any] = {"__name__": "test"}
    helpers = _compiled_helpers(trial.helpers)
    if helpers is not None:
        exec(helpers, names)
    candidate = RemoteFunction(completion, trial.entry_point)
    names[trial.entry_point] = candidate
    test, read = _compiled_test(trial.test)
    for name in read:
        if name not in names:
            names[name] = RemoteFunction(completion, name)  # what the test defines itself replaces it
    exec(test, names)
    names["check"](candidate)


def prepare(trial: Trial) -> None:
    """Compile the tests and seed `random`, so that the process forked for the trial need not do it."""
    random.seed(trial.seed)
    _compiled_helpers(trial.helpers)
    _compiled_test(trial.test)


@lru_cache(_PREPARED)
def _compiled_test(source: str) -> tuple[types.CodeType, frozenset[str]]:
    test = compile(source, _TEST_FILE, "exec")
    return test, frozenset(_names_in(test) - vars(builtins).keys())


@lru_cache(_PREPARED)
def _compiled_helpers(source: str) -> types.CodeType | None:
    """Return the prompt compiled, with a body if it ends in a bare `def`; None if it is no code."""
    for text in (source, source + "\n    pass\n"):
        try:
            return compile(text, "<prompt>", "exec")
        except SyntaxError:
            continue
    return None


def _names_in(code: types.CodeType) -> set[str]:
    """Return the global names and attributes that code refers to, that of inner functions included."""
    inner = (_names_in(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*inner)


def _assertion(failed: AssertionError, test: str) -> str:
    """Return the assertion's own message, or else its source."""
    message = str(failed)
    lines = [
        frame.lineno for frame in traceback.extract_tb(failed.__traceback__) if frame.filename == _TEST_FILE
    ]
    if message or not lines:
        return message
    for node in ast.walk(ast.parse(test)):
        if isinstance(node, ast.Assert) and node.lineno <= (lines[-1] or 0) <= (node.end_lineno or 0):
            return " ".join((ast.get_source_segment(test, node) or "").split())
    return ""


def _test_error(error: BaseException, completion: Completion) -> Outcome:
    described = completion.failure or [type(error).__name__, str(error)]
    return _error_outcome([[described[0]], described[1]])


def _error_outcome(described: Any) -> Outcome:
    text = _named(described)
    return outcome(verdicts.OUT_OF_MEMORY if text.startswith("MemoryError") else verdicts.ERROR, text)


def _named(described: Any) -> str:
    """Return "Class: message" of what a completion says about an exception; it may say anything."""
    try:
        kinds, message = described
        return f"{kinds[0]}: {message}" if message else str(kinds[0])
    except (TypeError, ValueError, IndexError, KeyError):
        return "an error that it describes in an unknown form"
