"""Proxies, on the trusted side, of what a completion defines.

Calling a proxy calls the completion and returns a copy of its answer; an argument that the completion
modified in place is modified here too. Nothing that the completion sends can run code here.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modelcore.sandbox.plain import Reference, pack, unpack
from modelcore.sandbox.wire import ChannelClosed, MessageTooLarge, receive, send

__all__ = ["BadAnswer", "Completion", "Loaded", "RemoteError", "RemoteFunction", "RemoteObject"]

_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, RecursionError)


class BadAnswer(BaseException):
    """The completion sent something that is not a value; not an `Exception`, so that no test catches it."""


@dataclass(frozen=True)
class RemoteError:
    """A completion's own, untrusted description of an exception.

    Args:
        classes: names of the exception's classes, most derived first; never empty.
        message: its text.
    """

    classes: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return f"{self.classes[0]}: {self.message}" if self.message else self.classes[0]


@dataclass(frozen=True)
class Loaded:
    """The result of running a program's top level: at most one of the two errors."""

    compile_error: RemoteError | None = None
    error: RemoteError | None = None


class Completion:
    """The trusted end of the channel to one completion.

    Args:
        channel: descriptor of a stream socket.
        answer_bytes: the size of the largest answer that is read.

    Attributes:
        is_gone: whether the completion has ended.
        failure: the exception with which it answered the last request, if it did.
    """

    def __init__(self, channel: int, answer_bytes: int) -> None:
        self._channel = channel
        self._answer_bytes = answer_bytes
        self.is_gone = False
        self.failure: RemoteError | None = None

    def run(self, program: str) -> Loaded:
        """Run the program's top level."""
        answer = self._exchange({"program": program, "processors": list(os.sched_getaffinity(0))})
        if "compile" in answer:
            return Loaded(compile_error=_readable_error(answer["compile"]))
        return Loaded(error=_readable_error(answer["error"]) if "error" in answer else None)

    def request(self, operation: str, args: list[Any], **more: Any) -> Any:
        """Have the completion perform one operation and return its value, or raise what it raised.

        Raises:
            ChannelClosed: the completion has ended.
            BadAnswer: the answer is not a value, or is too large.
        """
        packed = [pack(arg, _refuse) for arg in args]
        answer = self._exchange({"operation": operation, "args": packed, **more})
        try:
            if "error" in answer:
                raise self._error(answer["error"])
            for position, value in answer.get("changed", ()):
                _modify(args[position], self._unpack(value))
            return self._unpack(answer["value"])
        except _MALFORMED as error:
            if self.failure is not None:
                raise
            raise BadAnswer(f"malformed answer: {type(error).__name__}") from error

    def _exchange(self, message: Any) -> dict[str, Any]:
        self.failure = None
        try:
            send(self._channel, message)
            answer = receive(self._channel, self._answer_bytes)
        except ChannelClosed:
            self.is_gone = True
            raise
        except MessageTooLarge as large:
            raise BadAnswer(f"answer of {large.args[0]} bytes, at most {self._answer_bytes}") from large
        except (ValueError, RecursionError) as error:
            raise BadAnswer(f"malformed answer: {type(error).__name__}") from error
        if not isinstance(answer, dict):
            raise BadAnswer("malformed answer: not a mapping")
        return answer

    def _unpack(self, data: Any) -> Any:
        return unpack(data, lambda number: RemoteObject(self, int(number)))

    def _error(self, description: Any) -> BaseException:
        error = self.failure = _parse_error(description)
        for name in error.classes:
            known = getattr(builtins, name, None)
            if isinstance(known, type) and issubclass(known, BaseException):
                return _instance(known, error.message)
        return Exception(error.message)


class RemoteFunction:
    """A proxy of a function of the completion's program, addressed by name."""

    def __init__(self, completion: Completion, name: str) -> None:
        self._completion = completion
        self.__name__ = name

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Call the function in the completion; raise what it raises."""
        packed = _pack_keywords(keywords)
        return self._completion.request("call", list(args), keywords=packed, function=self.__name__)


class RemoteObject(Reference):
    """A proxy of an object that stays in the completion's process, addressed by number.

    It can be passed back, called and iterated, and its attributes read and assigned.
    """

    def __init__(self, completion: Completion, number: int) -> None:
        object.__setattr__(self, "_reference_number", number)
        object.__setattr__(self, "_reference_holder", completion)

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Call the object in the completion; raise what it raises."""
        packed = _pack_keywords(keywords)
        return self._reference_holder.request(
            "call", list(args), keywords=packed, object=self._reference_number
        )

    def __iter__(self) -> Iterator[Any]:
        return iter(self._reference_holder.request("items", [self]))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._reference_holder.request("attribute", [self, name])

    def __setattr__(self, name: str, value: Any) -> None:
        self._reference_holder.request("assign", [self, name, value])


def _parse_error(description: Any) -> RemoteError:
    classes, message = description
    return RemoteError((str(classes[0]), *map(str, classes[1:])), str(message))


def _readable_error(description: Any) -> RemoteError:
    """Return the error described, whatever the completion sent as its description."""
    try:
        return _parse_error(description)
    except _MALFORMED:
        return RemoteError(("an error with a malformed description",), "")


def _pack_keywords(keywords: dict[str, Any]) -> dict[str, Any]:
    return {key: pack(value, _refuse) for key, value in keywords.items()}


def _refuse(value: Any) -> int:
    raise BadAnswer(f"a test passes a {type(value).__name__}, which cannot be passed to a completion")


def _modify(target: Any, value: Any) -> None:
    """Replace the content of the container `target` by that of `value`, which is of the same type."""
    if isinstance(target, (list, bytearray)):
        target[:] = value
    else:
        target.clear()
        target.update(value)


def _instance(kind: type[BaseException], message: str) -> BaseException:
    """Return an exception of `kind`, or a plain one where the built-in class needs more than a message."""
    try:
        return kind(message)
    except TypeError:
        return Exception(message)
