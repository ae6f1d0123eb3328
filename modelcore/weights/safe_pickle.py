"""Reads the pickle inside a PyTorch checkpoint without ever calling anything.

An ordinary unpickler imports and calls whatever the file names. This one implements the few opcodes that a
dictionary of tensors needs and turns a "call" into a `Call` record; the caller decides what the name
means. Opcodes as documented in the standard library's `pickletools`.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Call", "Name", "Persistent", "UnsafePickle", "parse"]

_MARK = object()

MOST_OPCODES = 500_000
"""Of 10,000 tensors there are 400,000."""


class UnsafePickle(Exception):
    """The pickle does something that a dictionary of tensors does not need; the message says what."""


@dataclass(frozen=True)
class Name:
    """A global the pickle refers to, as `module.name`; never imported."""

    path: str


@dataclass(frozen=True)
class Call:
    """The call of a global that an unpickler would have made."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Persistent:
    """A persistent id: how a PyTorch pickle refers to a storage."""

    identity: Any


def parse(data: bytes, allowed: frozenset[str]) -> Any:
    """Return the object the pickle describes; what is not plain data becomes `Name`, `Call` or `Persistent`.

    Args:
        data: the pickle.
        allowed: the globals it may refer to, as `module.name`. A call of `collections.OrderedDict`
            becomes a dict; other calls become a `Call`.

    Raises:
        UnsafePickle: it names another global, has an opcode that is not needed, more than `MOST_OPCODES`,
        or is
            not a pickle.
    """
    machine = _Machine(allowed)
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if number == MOST_OPCODES:
                raise UnsafePickle(f"more than {MOST_OPCODES} opcodes")
            machine.step(opcode.name, argument)
        return machine.result
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise UnsafePickle(f"not a valid pickle ({type(error).__name__}: {error})") from error


class _Machine:
    """The unpickler's stack and memo."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self.result: Any = None

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _PLAIN:
            self._stack.append(argument)
        elif opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode]())
        elif opcode in _ACTIONS:
            _ACTIONS[opcode](self, argument)
        elif opcode not in ("PROTO", "FRAME"):
            raise UnsafePickle(f"it uses {opcode}, which weights do not need")

    def put(self, argument: Any) -> None:
        self._memo[len(self._memo) if argument is None else argument] = self._stack[-1]

    def get(self, argument: Any) -> None:
        self._stack.append(self._memo[argument])

    def mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def name(self, argument: Any) -> None:
        path = ".".join(argument.split(" ", 1))
        if path not in self._allowed:
            raise UnsafePickle(f"it would import or run {path}")
        self._stack.append(Name(path))

    def call(self, _: Any) -> None:
        arguments, target = self._stack.pop(), self._stack.pop()
        if not isinstance(target, Name) or not isinstance(arguments, tuple):
            raise UnsafePickle("it calls something that is not a name")
        if target.path == "collections.OrderedDict":
            if arguments:
                raise UnsafePickle("it builds an OrderedDict from something")
            self._stack.append({})
        else:
            self._stack.append(Call(target.path, arguments))

    def persistent(self, _: Any) -> None:
        self._stack.append(Persistent(self._stack.pop()))

    def tuple_of(self, count: int) -> None:
        items = tuple(self._stack[len(self._stack) - count :])
        del self._stack[len(self._stack) - count :]
        self._stack.append(items)

    def tuple_to_mark(self, _: Any) -> None:
        self._stack.append(tuple(self._to_mark()))

    def set_item(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._insert([key, value])

    def set_items(self, _: Any) -> None:
        self._insert(self._to_mark())

    def append(self, _: Any) -> None:
        self._extend([self._stack.pop()])

    def extend(self, _: Any) -> None:
        self._extend(self._to_mark())

    def build(self, _: Any) -> None:
        """Drop an object's state: for a state_dict it is the modules' versions."""
        self._stack.pop()

    def stop(self, _: Any) -> None:
        self.result = self._stack.pop()

    def _to_mark(self) -> list[Any]:
        at = len(self._stack) - 1
        while self._stack[at] is not _MARK:
            if at == 0:
                raise ValueError("no mark")
            at -= 1
        items = self._stack[at + 1 :]
        del self._stack[at:]
        return items

    def _insert(self, items: list[Any]) -> None:
        target = self._stack[-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | int):
                raise UnsafePickle(f"a key that is neither text nor number ({type(key).__name__})")
            if key in target:
                raise UnsafePickle(f"{key!r} is in it twice")
            target[key] = value

    def _extend(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, list):
            raise ValueError("it appends to something that is not a list")
        target.extend(items)


_PLAIN = frozenset(
    ("BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINBYTES")
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "NONE": lambda: None,
}
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.put,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "MARK": _Machine.mark,
    "GLOBAL": _Machine.name,
    "REDUCE": _Machine.call,
    "BINPERSID": _Machine.persistent,
    "TUPLE": _Machine.tuple_to_mark,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.extend,
    "BUILD": _Machine.build,
    "STOP": _Machine.stop,
}
