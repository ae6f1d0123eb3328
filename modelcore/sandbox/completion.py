"""The untrusted side: runs a program and answers calls to what it defines. Nothing it says is believed.

Runs inside whatever confinement the caller has put around the process. Whatever the program does to this
code, it can only change the values that are sent back.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from modelcore.sandbox.plain import pack, unpack
from modelcore.sandbox.wire import receive, send

__all__ = ["serve"]

_MESSAGE_CHARACTERS = 1000
_REQUEST_BYTES = 1 << 30


def serve(channel: int) -> None:
    """Run the program that arrives first, then answer one request after another until the channel closes.

    Args:
        channel: descriptor of a stream socket whose other end is the trial.

    Raises:
        ChannelClosed: the trial is over.
    """
    beginning = receive(channel, _REQUEST_BYTES)
    with suppress(OSError):  # not allowed at every level of isolation, and not necessary
        os.sched_setaffinity(0, beginning["processors"])
    names = _run_program(beginning["program"], channel)
    objects: list[Any] = []
    operations: dict[str, Callable[..., Any]] = {
        "name": names.__getitem__,
        "attribute": getattr,
        "assign": setattr,
        "items": list,
    }
    while True:
        send(channel, _answer(receive(channel, _REQUEST_BYTES), names, operations, objects))


def _run_program(source: str, channel: int) -> dict[str, Any]:
    module = types.ModuleType("completion")
    sys.modules["completion"] = module
    names = module.__dict__
    try:
        code = compile(source, "<completion>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, SystemError) as error:
        send(channel, {"compile": _described(error)})
        return names
    try:
        exec(code, names)
    except BaseException as error:  # noqa: BLE001 - whatever the program raises is its result
        send(channel, {"error": _described(error)})
    else:
        send(channel, {"value": None})
    return names


def _answer(
    request: dict[str, Any],
    names: dict[str, Any],
    operations: dict[str, Callable[..., Any]],
    objects: list[Any],
) -> dict[str, Any]:
    def refer(value: Any) -> int:
        objects.append(value)
        return len(objects) - 1

    try:
        args = [unpack(value, objects.__getitem__) for value in request["args"]]
        if request["operation"] == "call":
            keywords = {key: unpack(value, objects.__getitem__) for key, value in request["keywords"].items()}
            value = _callee(request, names, objects)(*args, **keywords)
        else:
            value = operations[request["operation"]](*args)
        answer = {"value": pack(value, refer)}
        changed = _changed(request["args"], args, refer)
    except BaseException as error:  # noqa: BLE001 - whatever the program raises is its result
        return {"error": _described(error)}
    return {**answer, "changed": changed} if changed else answer


def _callee(request: dict[str, Any], names: dict[str, Any], objects: list[Any]) -> Any:
    if "object" in request:
        return objects[request["object"]]
    name = request["function"]
    if name not in names:
        raise NameError(f"name '{name}' is not defined")
    return names[name]


def _changed(before: list[Any], args: list[Any], refer: Callable[[Any], int]) -> list[Any]:
    """Return [position, new value] of the arguments that the call modified in place."""
    mutable = [(i, arg) for i, arg in enumerate(args) if isinstance(arg, (list, dict, set, bytearray))]
    after = [(i, pack(arg, refer)) for i, arg in mutable]
    return [[i, value] for i, value in after if value != before[i]]


def _described(error: BaseException) -> list[Any]:
    """Return the names of the error's classes, most special first, and its message."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    try:
        message = str(error)
    except BaseException as second:  # noqa: BLE001 - a message that cannot be had is no message
        message = f"its message raised {type(second).__name__}"
    return [kinds[:8], message[:_MESSAGE_CHARACTERS]]
