"""Proxies of what a completion defines, whose process is a thread of the test."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from modelcore.sandbox.remote import BadAnswer, Completion, Loaded, RemoteError, RemoteFunction, RemoteObject
from modelcore.sandbox.wire import ChannelClosed, send

from .serving import serving


@contextmanager
def function(program: str) -> Iterator[RemoteFunction]:
    """The proxy of the function `f` of a program."""
    with serving() as completion:
        assert completion.run(program) == Loaded()
        yield RemoteFunction(completion, "f")


@contextmanager
def answering(*answers: Any) -> Iterator[Completion]:
    """A completion that sends these messages whatever it receives, and then nothing more."""
    ours, theirs = socket.socketpair()
    for message in answers:
        send(theirs.fileno(), message)
    theirs.shutdown(socket.SHUT_WR)
    yield Completion(ours.fileno(), 1000)
    ours.close()
    theirs.close()


def test_a_function_is_called_with_positional_and_keyword_arguments() -> None:
    with function("def f(x, *, y=0):\n    return x + y") as f:
        assert f.__name__ == "f"
        assert [f(1), f(1, y=2), f((1,), y=(2, [3]))] == [1, 3, (1, 2, [3])]


def test_the_program_sees_its_own_globals_and_its_module() -> None:
    program = "import sys\nbase = 10\ndef f(x):\n    return base + x, sys.modules[__name__].base"
    with function(program) as f:
        assert f(1) == (11, 10)


def test_the_program_does_not_inherit_the_compiler_flags_of_the_sandbox() -> None:
    with serving() as completion:
        loaded = completion.run("def f(x: undefined): pass")  # evaluated: no `annotations` from the future
    assert str(loaded.error) == "NameError: name 'undefined' is not defined"


def test_the_program_runs_on_the_processors_of_the_harness() -> None:
    allowed = os.sched_getaffinity(0)
    with serving() as completion:
        os.sched_setaffinity(0, {min(allowed)})
        try:
            completion.run("import os\ndef f():\n    return os.sched_getaffinity(0)")
        finally:
            os.sched_setaffinity(0, allowed)
        assert RemoteFunction(completion, "f")() == {min(allowed)}


@pytest.mark.parametrize("program", ["def f(:", "x = '\0'", "(" * 500 + ")" * 500])
def test_a_program_that_does_not_compile_says_why(program: str) -> None:
    with serving() as completion:
        loaded = completion.run(program)
    assert loaded.error is None and loaded.compile_error is not None
    assert loaded.compile_error.classes[0] in ("SyntaxError", "ValueError", "MemoryError", "RecursionError")


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit", "SystemExit"),
        ("class Mine(KeyError): pass\nraise Mine", "Mine"),
    ],
)
def test_an_error_at_the_top_level_is_described(program: str, expected: str) -> None:
    with serving() as completion:
        loaded = completion.run(program)
    assert loaded.compile_error is None and str(loaded.error) == expected


def test_a_built_in_exception_is_raised_as_itself() -> None:
    with function("def f(x):\n    return [1][x]") as f, pytest.raises(IndexError, match="out of range"):
        f(5)


def test_an_exception_of_the_program_is_raised_as_its_nearest_built_in_class() -> None:
    program = "class Mine(ValueError): pass\nclass Yours(Mine): pass\ndef f():\n    raise Yours('no')"
    with serving() as completion:
        completion.run(program)
        with pytest.raises(ValueError, match="^no$") as error:
            RemoteFunction(completion, "f")()
        assert type(error.value) is ValueError
        assert completion.failure is not None and completion.failure.classes[:2] == ("Yours", "Mine")


def test_an_exception_that_needs_more_than_a_message_is_raised_as_a_plain_one() -> None:
    with function("def f():\n    b'\\xff'.decode()") as f, pytest.raises(Exception, match="utf-8") as error:
        f()
    assert type(error.value) is Exception


def test_a_failure_is_forgotten_at_the_next_request() -> None:
    with serving() as completion:
        completion.run("def f(x):\n    return 1 / x")
        with pytest.raises(ZeroDivisionError):
            RemoteFunction(completion, "f")(0)
        assert completion.failure == RemoteError(
            ("ZeroDivisionError", "ArithmeticError", "Exception", "BaseException", "object"),
            "division by zero",
        )
        assert RemoteFunction(completion, "f")(2) == 0.5
        assert completion.failure is None


def test_a_name_that_the_program_does_not_define_is_a_name_error() -> None:
    with function("") as f, pytest.raises(NameError, match="^name 'f' is not defined$"):
        f()


def test_class_names_and_messages_of_exceptions_are_limited() -> None:
    deep = "\n".join(f"class E{i}({f'E{i - 1}' if i else 'Exception'}): pass" for i in range(20))
    with serving() as completion:
        loaded = completion.run(f"{deep}\nraise E19('x' * 5000)")
    assert loaded.error == RemoteError(tuple(f"E{i}" for i in range(19, 11, -1)), "x" * 1000)


def test_an_exception_whose_text_raises_is_described_all_the_same() -> None:
    program = "class E(Exception):\n    def __str__(self):\n        raise SystemExit\nraise E"
    with serving() as completion:
        assert str(completion.run(program).error) == "E: its message raised SystemExit"


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ("x.append(3)", [1], [1, 3]),
        ("x.clear()", [1], []),
        ("del x['a']; x['c'] = 3", {"a": 1, "b": 2}, {"b": 2, "c": 3}),
        ("x.add(5)", {1, 2}, {1, 2, 5}),
        ("x.reverse()", bytearray(b"ab"), bytearray(b"ba")),
    ],
)
def test_what_a_call_changes_in_its_arguments_is_changed_here(change: str, before: Any, after: Any) -> None:
    with function(f"def f(y, x):\n    {change}\n    return len(x)") as f:
        assert f([0], before) == len(after)
    assert before == after


def test_an_argument_that_the_call_does_not_change_is_left_alone() -> None:
    inner = [1]
    argument = [inner]
    with function("def f(x):\n    x = x + [2]\n    return x") as f:
        assert f(argument) == [[1], 2]
    assert argument[0] is inner


POINT = """
class Point:
    kind = 'plane'
    def __init__(self, x):
        self.x = x
    def __iter__(self):
        return iter([self.x, 'end'])
    def move(self, by=1):
        self.x += by
        return self
def f(x):
    return Point(x)
def g(point):
    return type(point).__name__, point.x
"""


def test_an_object_stays_with_the_completion_and_is_used_from_here() -> None:
    with function(POINT) as f:
        point = f(5)
        assert isinstance(point, RemoteObject)
        assert (point.x, point.kind) == (5, "plane")
        assert list(point) == [5, "end"]
        point.x = 7
        assert point.move(by=2).x == 9
        assert RemoteFunction(f._completion, "g")(point) == ("Point", 9)
        assert point == point and point != f(9)
        with pytest.raises(AttributeError, match="no attribute 'y'"):
            _ = point.y
        with pytest.raises(AttributeError, match="^__len__$"):
            point.__len__()  # never looked up in the completion


def test_a_function_that_is_a_value_can_be_called() -> None:
    with function("def f(n):\n    return lambda x, times=1: (n + x) * times") as f:
        assert f(1)(2, times=3) == 9


def test_a_value_that_is_not_plain_cannot_be_passed_to_a_completion() -> None:
    for pass_it in (lambda f: f(len), lambda f: f(x=len)):
        with function("def f(x):\n    return 1") as f, pytest.raises(BadAnswer) as error:
            pass_it(f)
        assert str(error.value) == (
            "a test passes a builtin_function_or_method, which cannot be passed to a completion"
        )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (5, "malformed answer: not a mapping"),
        ({}, "malformed answer: KeyError"),
        ({"value": {"unknown": 1}}, "malformed answer: KeyError"),
        ({"value": {"object": []}}, "malformed answer: TypeError"),
        ({"error": 5}, "malformed answer: TypeError"),
        ({"error": [[], "no class"]}, "malformed answer: IndexError"),
        ({"value": 1, "changed": [[9, []]]}, "malformed answer: IndexError"),
        ({"value": "x" * 2000}, "answer of 2013 bytes, at most 1000"),
    ],
)
def test_an_answer_that_is_not_a_value_is_a_bad_answer(answer: Any, message: str) -> None:
    with answering(answer) as completion, pytest.raises(BadAnswer) as error:
        RemoteFunction(completion, "f")([1])
    assert str(error.value) == message


def test_a_completion_that_closes_its_channel_is_gone() -> None:
    with answering({"value": 1}) as completion:
        assert RemoteFunction(completion, "f")() == 1
        assert not completion.is_gone
        with pytest.raises(ChannelClosed):
            RemoteFunction(completion, "f")()
        assert completion.is_gone


@pytest.mark.parametrize("description", [None, 5, [], [[], "x"], [{}, "x"], [["E"], "x", "y"]])
def test_a_malformed_description_of_an_error_is_reported_as_such(description: Any) -> None:
    malformed = RemoteError(("an error with a malformed description",), "")
    with answering({"compile": description}) as completion:
        assert completion.run("") == Loaded(compile_error=malformed)
    with answering({"error": description}) as completion:
        assert completion.run("") == Loaded(error=malformed)


def test_a_bad_answer_is_not_an_exception_that_a_test_would_catch() -> None:
    assert not issubclass(BadAnswer, Exception)
