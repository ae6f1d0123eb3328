"""Stand-ins, on the trusted side, for what a completion defines.

Calling one asks the completion and returns a copy of its answer; an argument that the completion modified
in place is modified here too. Nothing that the completion sends can run code here.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator
from typing import Any

from modelcore.sandbox.plain import Reference, pack, unpack
from modelcore.sandbox.wire import ChannelClosed, MessageTooLarge, receive, send

__all__ = ["BadAnswer", "Completion", "RemoteFunction", "RemoteObject"]

_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, RecursionError)


class BadAnswer(BaseException):
    """The completion sent something that is no value; not an `Exception`, so that no test catches it."""


class Completion:
    """The trusted end of the channel to one completion.

    Args:
        channel: descriptor of a stream socket.
        answer_bytes: the largest answer that is read.
    """

    def __init__(self, channel: int, answer_bytes: int) -> None:
        self._channel = channel
        self._answer_bytes = answer_bytes
        self.is_gone = False
        self.failure: list[Any] | None = None

    def run(self, program: str) -> dict[str, Any]:
        """Have the program run; return {"value"}, or {"compile"} or {"error"} with [class names, message]."""
        return self._exchange({"program": program, "processors": list(os.sched_getaffinity(0))})

    def request(self, operation: str, args: list[Any], **more: Any) -> Any:
        """Have one operation done and return its value; what it raises there is raised here.

        Raises:
            ChannelClosed: the completion is gone.
            BadAnswer: the answer is no value, or too large.
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
            raise BadAnswer("malformed answer: no mapping")
        return answer

    def _unpack(self, data: Any) -> Any:
        return unpack(data, lambda number: RemoteObject(self, int(number)))

    def _error(self, described: Any) -> BaseException:
        kinds, message = described
        self.failure = [str(kinds[0]), str(message)]
        for kind in kinds:
            known = getattr(builtins, str(kind), None)
            if isinstance(known, type) and issubclass(known, BaseException):
                return _instance(known, str(message))
        return Exception(str(message))


class RemoteFunction:
    """A function of the completion's program, by name."""

    def __init__(self, completion: Completion, name: str) -> None:
        self._completion = completion
        self.__name__ = name

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Have the completion call it; raises what it raises."""
        packed = {key: pack(value, _refuse) for key, value in keywords.items()}
        return self._completion.request("call", list(args), keywords=packed, function=self.__name__)


class RemoteObject(Reference):
    """An object that stays with the completion: passed back, called, iterated, read, assigned by number."""

    def __init__(self, completion: Completion, number: int) -> None:
        object.__setattr__(self, "_reference_number", number)
        object.__setattr__(self, "_reference_holder", completion)

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Have the completion call it; raises what it raises."""
        packed = {key: pack(value, _refuse) for key, value in keywords.items()}
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


def _refuse(value: Any) -> int:
    raise BadAnswer(f"a test passes a {type(value).__name__}, which cannot be passed to a completion")


def _modify(target: Any, value: Any) -> None:
    """Give the container `target` the content of `value`, which is of the same type."""
    if isinstance(target, (list, bytearray)):
        target[:] = value
    else:
        target.clear()
        target.update(value)


def _instance(kind: type[BaseException], message: str) -> BaseException:
    """Return an exception of `kind`; some built-in ones need more than a message."""
    try:
        return kind(message)
    except TypeError:
        return Exception(message)
