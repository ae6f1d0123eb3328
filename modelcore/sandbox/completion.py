"""The untrusted side: runs a program and answers calls to what it defines. Nothing it sends is trusted.

Runs inside whatever confinement the caller has put around the process. Whatever the program does to this
code, it can only change the values that are sent back.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from modelcore.sandbox.plain import pack, unpack
from modelcore.sandbox.wire import ChannelClosed, receive, send

__all__ = ["serve", "serve_to_the_end"]

_MESSAGE_CHARACTERS = 1000
_CLASS_NAMES = 8
_REQUEST_BYTES = 1 << 30
_OPERATIONS: dict[str, Callable[..., Any]] = {"attribute": getattr, "assign": setattr, "items": list}


def serve(channel: int) -> None:
    """Run the program that arrives first, then answer one request after another until the channel closes.

    Args:
        channel: descriptor of a stream socket whose other end is the harness.

    Raises:
        ChannelClosed: the harness has ended.
    """
    start = receive(channel, _REQUEST_BYTES)
    with suppress(OSError):  # not allowed at every level of isolation, and not necessary
        os.sched_setaffinity(0, start["processors"])
    program = _Program()
    program.run(start["program"], channel)
    while True:
        send(channel, program.answer(receive(channel, _REQUEST_BYTES)))


def serve_to_the_end(channel: int) -> NoReturn:
    """Serve the channel, then end this process, whatever the program has done to it."""
    try:
        serve(channel)
    except ChannelClosed:
        os._exit(0)
    finally:
        os._exit(1)


class _Program:
    """What the program defines, and the objects of its that the harness refers to by number."""

    def __init__(self) -> None:
        module = types.ModuleType("completion")
        sys.modules["completion"] = module
        self._names = module.__dict__
        self._objects: list[Any] = []

    def run(self, source: str, channel: int) -> None:
        """Run the program and send {"value"}, {"compile"} or {"error"}."""
        try:
            code = compile(source, "<completion>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, SystemError) as error:
            send(channel, {"compile": _description(error)})
            return
        try:
            exec(code, self._names)
        except BaseException as error:  # noqa: BLE001 - whatever the program raises is its result
            send(channel, {"error": _description(error)})
        else:
            send(channel, {"value": None})

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Perform one request; return {"value"}, and {"changed"} if it modified arguments, or {"error"}."""
        try:
            args = [unpack(value, self._objects.__getitem__) for value in request["args"]]
            value = self._call(request, args)
            answer = {"value": pack(value, self._refer)}
            changed = self._changed(request["args"], args)
        except BaseException as error:  # noqa: BLE001 - whatever the program raises is its result
            return {"error": _description(error)}
        return {**answer, "changed": changed} if changed else answer

    def _call(self, request: dict[str, Any], args: list[Any]) -> Any:
        if request["operation"] != "call":
            return _OPERATIONS[request["operation"]](*args)
        keywords = {
            key: unpack(value, self._objects.__getitem__) for key, value in request["keywords"].items()
        }
        return self._callee(request)(*args, **keywords)

    def _callee(self, request: dict[str, Any]) -> Any:
        if "object" in request:
            return self._objects[request["object"]]
        name = request["function"]
        if name not in self._names:
            raise NameError(f"name '{name}' is not defined")
        return self._names[name]

    def _refer(self, value: Any) -> int:
        self._objects.append(value)
        return len(self._objects) - 1

    def _changed(self, before: list[Any], args: list[Any]) -> list[Any]:
        """Return [position, new value] of the arguments that the call modified in place."""
        mutable = [(i, arg) for i, arg in enumerate(args) if isinstance(arg, (list, dict, set, bytearray))]
        after = [(i, pack(arg, self._refer)) for i, arg in mutable]
        return [[i, value] for i, value in after if value != before[i]]


def _description(error: BaseException) -> list[Any]:
    """Return the names of the error's classes, most derived first, and its message."""
    classes = [kind.__name__ for kind in type(error).__mro__]
    try:
        message = str(error)
    except BaseException as second:  # noqa: BLE001 - the program's own __str__ may raise anything
        message = f"its message raised {type(second).__name__}"
    return [classes[:_CLASS_NAMES], message[:_MESSAGE_CHARACTERS]]
