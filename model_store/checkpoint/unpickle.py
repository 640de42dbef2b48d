"""Read a pickle as data.

A pickle is a program: Python's own reader calls whatever the program names. The machine here knows only the opcodes
that torch writes, calls nothing that the pickle names, and builds plain data, descriptions of tensors, and inert
stand-ins for all other objects. Every operation counts against a budget, so memory and time are bounded.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable
from typing import Any

from model_store.checkpoint.values import (
    COLLECTIONS,
    PARAMETER,
    TENSOR,
    Inert,
    Name,
    Refused,
    is_known,
    to_key,
    to_parameter,
    to_storage,
    to_tensor,
)

# The largest of the 14 networks (7 variants, 2 forms), yolov7-e6e in training form, needs 161,000 operations and
# 381,000 bytes. A file of a run that goes on holds up to three times as much: weights, averages and optimizer.
MAX_OPERATIONS = 1_000_000
MAX_PICKLE_BYTES = 4_000_000


def unpickle(data: bytes) -> Any:
    """The object that a pickle describes, with `StoredTensor` for tensors and `Inert` for objects of classes.

    `data` has at most MAX_PICKLE_BYTES. Raises Refused, or ValueError, KeyError or IndexError for bytes that are not a
    whole pickle.
    """
    machine, program = _Machine(), io.BytesIO(data)
    while code := program.read(1):
        machine.charge(1)
        opcode = _OPCODES.get(code.decode("latin-1"))
        if opcode is None:
            raise ValueError(f"no opcode {code!r}")
        if opcode.name == "STOP":
            return machine.stack.pop()
        if opcode.name not in _OPERATIONS:  # Its argument is not decoded either.
            raise Refused(f"its pickle uses {opcode.name}, which torch never does")
        read = _two_lines if opcode.name == "GLOBAL" else opcode.arg and opcode.arg.reader
        _OPERATIONS[opcode.name](machine, read and read(program))
    raise ValueError("a pickle without its end")


def _two_lines(program: io.BytesIO) -> list[str]:
    """The module and the name of GLOBAL; pickletools would undo escapes in them, which pickle does not."""
    return [program.readline().removesuffix(b"\n").decode() for _ in range(2)]


class _Machine:
    """A stack machine; a mark puts the stack aside and begins an empty one."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.aside: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.names: dict[tuple[str, str], Name] = {}
        self.operations = 0

    def charge(self, operations: int) -> None:
        self.operations += operations
        if self.operations > MAX_OPERATIONS:
            raise Refused(f"its pickle needs more than {MAX_OPERATIONS} operations, which no YOLOv7 checkpoint does")

    def push(self, value: object) -> None:
        self.stack.append(value)

    def mark(self) -> None:
        self.aside.append(self.stack)
        self.stack = []

    def marked(self) -> list[Any]:
        """Remove all above the last mark, and return it."""
        items, self.stack = self.stack, self.aside.pop()
        return items

    def popped(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise ValueError("too few values")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def memorise(self, place: int) -> None:
        if place > MAX_OPERATIONS:
            raise Refused(f"its pickle asks for the memory of {place} objects; limit {MAX_OPERATIONS}")
        self.memo[place] = self.stack[-1]

    def name(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str) and is_known(module, name)):
            raise Refused(f"it names {module!s:.100}.{name!s:.100}, which no YOLOv7 checkpoint needs")
        self.push(self.names.setdefault((module, name), Name(f"{module}.{name}")))

    def call(self) -> None:
        """Push what a call would give; nothing outside this package is called."""
        function, arguments = self.popped(2)
        if not isinstance(function, Name) or not isinstance(arguments, tuple):
            raise ValueError("a call of something that is not a name")
        if function.full == TENSOR:
            self.push(to_tensor(arguments))
        elif function.full == PARAMETER:
            self.push(to_parameter(arguments))
        elif function.full in COLLECTIONS:
            self.push(self.collection(COLLECTIONS[function.full], arguments))
        else:
            self.push(Inert(function.full))

    def collection(self, kind: type, arguments: tuple[Any, ...]) -> Any:
        items = arguments[0] if arguments else ()
        if not isinstance(items, list | tuple | set | frozenset) or (kind is dict and items):
            raise ValueError(f"a {kind.__name__} of a {type(items).__name__}")
        self.charge(len(items))
        return kind(map(to_key, items) if kind in (set, frozenset) else items)

    def build(self) -> None:
        target, state = self.popped(2)
        if isinstance(target, Inert):
            target.state = state if isinstance(state, dict) else {}
        elif not isinstance(target, dict):  # A state dict has attributes, but they say nothing of its weights.
            raise Refused(f"its pickle gives attributes to a {type(target).__name__}, which torch never does")
        self.push(target)

    def fill(self, kind: type, items: list[Any]) -> None:
        """Put items into the list, set or dictionary on top of the stack; a stand-in forgets them."""
        target = self.stack[-1]
        if isinstance(target, list) and kind is list:
            target.extend(items)
        elif isinstance(target, set) and kind is set:
            target.update(map(to_key, items))
        elif isinstance(target, dict) and kind is dict:
            target.update(zip(map(to_key, items[::2]), items[1::2], strict=True))
        elif not isinstance(target, Inert):
            raise ValueError(f"items of a {kind.__name__} for a {type(target).__name__}")


_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}

_CONSTANTS = (
    "BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8"
)

_OPERATIONS: dict[str, Callable[[_Machine, Any], object]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, _: None),
    **dict.fromkeys(_CONSTANTS.split(), lambda machine, argument: machine.push(argument)),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push(set()),
    "MARK": lambda machine, _: machine.mark(),
    "POP": lambda machine, _: machine.popped(1),
    "POP_MARK": lambda machine, _: machine.marked(),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.popped(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.popped(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.popped(3))),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.marked())),
    "FROZENSET": lambda machine, _: machine.push(frozenset(map(to_key, machine.marked()))),
    "APPEND": lambda machine, _: machine.fill(list, machine.popped(1)),
    "APPENDS": lambda machine, _: machine.fill(list, machine.marked()),
    "ADDITEMS": lambda machine, _: machine.fill(set, machine.marked()),
    "SETITEM": lambda machine, _: machine.fill(dict, machine.popped(2)),
    "SETITEMS": lambda machine, _: machine.fill(dict, machine.marked()),
    "MEMOIZE": lambda machine, _: machine.memorise(len(machine.memo)),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), lambda machine, place: machine.memorise(place)),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda machine, place: machine.push(machine.memo[place])),
    "GLOBAL": lambda machine, names: machine.name(*names),
    "STACK_GLOBAL": lambda machine, _: machine.name(*machine.popped(2)),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), lambda machine, _: machine.call()),
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.push(to_storage(machine.popped(1)[0])),
}
