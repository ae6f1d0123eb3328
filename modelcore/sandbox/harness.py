"""The trusted side: runs a benchmark's tests against a completion that runs in another process.

The tests see proxies of what the completion defines. The prompt's imports and helper functions are executed
again here, so the tests use the benchmark's own versions even if the completion redefines them.
"""

from __future__ import annotations

import ast
import builtins
import random
import traceback
import types
from functools import lru_cache
from typing import Any

from modelcore.sandbox import verdicts
from modelcore.sandbox.remote import BadAnswer, Completion, RemoteError, RemoteFunction
from modelcore.sandbox.sample import Sample
from modelcore.sandbox.verdicts import Outcome, outcome
from modelcore.sandbox.wire import ChannelClosed

__all__ = ["prepare", "run_tests"]

_TEST_FILE = "<test>"
_COMPILED_SOURCES = 1024


def run_tests(sample: Sample, completion: Completion) -> Outcome:
    """Run the program, then the tests, and return the outcome. Call `prepare` first.

    Raises:
        ChannelClosed: the completion's process has ended; the caller finds out why.
    """
    loaded = completion.run(sample.program)
    if loaded.compile_error is not None:
        return outcome(verdicts.DID_NOT_COMPILE, str(loaded.compile_error))
    if loaded.error is not None:
        return _error_outcome(loaded.error)
    try:
        _run_check(sample, completion)
        if completion.is_gone:  # and the test swallowed the exception
            raise ChannelClosed
    except BadAnswer as bad:
        return outcome(verdicts.ERROR, str(bad))
    except AssertionError as failed:
        if completion.failure is not None:
            return _error_outcome(completion.failure)
        return outcome(verdicts.FAILED, _assertion_text(failed, sample.test))
    except Exception as error:  # noqa: BLE001 - a test may raise anything at an unexpected answer
        return _error_outcome(completion.failure or _description(error))
    except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        return _error_outcome(completion.failure or _description(error))
    return outcome(verdicts.PASSED)


def _run_check(sample: Sample, completion: Completion) -> None:
    names: dict[str, Any] = {"__name__": "test"}
    helpers = _compiled_helpers(sample.helpers)
    if helpers is not None:
        exec(helpers, names)
    candidate = RemoteFunction(completion, sample.entry_point)
    names[sample.entry_point] = candidate
    test, used_names = _compiled_test(sample.test)
    for name in used_names:
        if name not in names:
            names[name] = RemoteFunction(completion, name)  # replaced if the test defines the name itself
    exec(test, names)
    names["check"](candidate)


def prepare(sample: Sample) -> None:
    """Compile the tests and seed `random`, so that the forked harness does not have to."""
    random.seed(sample.seed)
    _compiled_helpers(sample.helpers)
    _compiled_test(sample.test)


@lru_cache(_COMPILED_SOURCES)
def _compiled_test(source: str) -> tuple[types.CodeType, frozenset[str]]:
    test = compile(source, _TEST_FILE, "exec")
    return test, frozenset(_names_in(test) - vars(builtins).keys())


@lru_cache(_COMPILED_SOURCES)
def _compiled_helpers(source: str) -> types.CodeType | None:
    """Return the prompt compiled, with a body added if it ends after a `def` line; None if it is not code."""
    for text in (source, source + "\n    pass\n"):
        try:
            return compile(text, "<prompt>", "exec")
        except SyntaxError:
            continue
    return None


def _names_in(code: types.CodeType) -> set[str]:
    """Return the global names and attributes that the code and its inner functions refer to."""
    inner = (_names_in(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*inner)


def _assertion_text(failed: AssertionError, test: str) -> str:
    """Return the assertion's own message or, without one, its source."""
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


def _description(error: BaseException) -> RemoteError:
    return RemoteError((type(error).__name__,), str(error))


def _error_outcome(error: RemoteError) -> Outcome:
    text = str(error)
    return outcome(verdicts.OUT_OF_MEMORY if text.startswith("MemoryError") else verdicts.ERROR, text)
