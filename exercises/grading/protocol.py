"""What harness and worker say to each other: a length, a JSON header, raw bytes. Nothing else.

    frame = MAGIC (4 bytes), length of header (u32), length of body (u64), header, body

A message is a dict. Its header is JSON in which every value is a list that begins with its kind;
an array leaves its dtype and shape there and its bytes in the body, one array after the other. No
pickle and no name of a class ever travels, so a message cannot run anything where it is read. What
is read is believed in nothing: each length, depth, dtype and shape is checked first.

The worker loads this module too, by path: it imports the standard library and NumPy only.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

MAGIC = b"DBN1"
PREFIX = struct.Struct("<4sIQ")

#: the most that a frame, a text, and a nest of lists may hold
MAX_HEADER, MAX_BODY, MAX_TEXT = 2**22, 2**26, 20_000
MAX_DEPTH, MAX_DIMENSIONS = 10, 8

#: all arrays that can travel, little-endian
DTYPES = {
    np.dtype(code): code
    for code in ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
}
CODES = {code: dtype for dtype, code in DTYPES.items()}


class ProtocolError(Exception):
    """What arrived is no frame, or breaks a limit."""


class UnsendableError(Exception):
    """A value that has no place in a message; the text describes it to the one who returned it."""


@dataclass(frozen=True)
class Seed:
    """Stands for a numpy Generator: the worker makes one from the seed."""

    value: int


# ---- writing


def dump(message: dict[str, Any]) -> bytes:
    """The frame of a message; UnsendableError where it holds what cannot travel."""
    chunks: list[bytes] = []
    header = json.dumps(_encode(message, chunks, 0), allow_nan=False).encode()
    n_bytes = sum(map(len, chunks))
    if len(header) > MAX_HEADER:
        raise UnsendableError(f"lists of more than {MAX_HEADER >> 20} megabytes, and no array")
    if n_bytes > MAX_BODY:
        raise UnsendableError(f"more than {MAX_BODY >> 20} megabytes")
    return b"".join([PREFIX.pack(MAGIC, len(header), n_bytes), header, *chunks])


def _encode(value: Any, chunks: list[bytes], depth: int) -> list:
    """A value as a list of its kind and its contents; the bytes of arrays go to `chunks`."""
    if depth > MAX_DEPTH:
        raise UnsendableError("lists inside lists, too deep")
    kind = type(value)
    if value is None:
        return ["none"]
    if kind is bool:
        return ["bool", value]
    if kind is int and abs(value) < 2**63:
        return ["int", value]
    if kind is float:
        return ["float", value.hex()]  # exact, and NaN has a name too
    if kind is str and len(value) <= MAX_TEXT:
        return ["str", value.encode("utf-8", "backslashreplace").decode()]
    if kind is Seed:
        return ["seed", value.value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _encode_array(value, chunks)
    if isinstance(value, (list, tuple)):
        name = "list" if isinstance(value, list) else "tuple"
        return [name, [_encode(entry, chunks, depth + 1) for entry in value]]
    if kind is dict and all(type(key) is str for key in value):
        return ["dict", {key: _encode(entry, chunks, depth + 1) for key, entry in value.items()}]
    raise UnsendableError(_described(value))


def _encode_array(value: Any, chunks: list[bytes]) -> list:
    """Dtype and shape; a subclass of ndarray is sent as the plain array below it."""
    array = np.asarray(value)
    if type(array) is not np.ndarray:
        array = np.ndarray.view(array, np.ndarray)
    array = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    code = DTYPES.get(array.dtype)
    if code is None:
        raise UnsendableError(f"an array of dtype {value.dtype}")
    if array.ndim > MAX_DIMENSIONS:
        raise UnsendableError(f"an array with {array.ndim} dimensions")
    chunks.append(array.tobytes())
    return ["array", code, list(array.shape)]


def _described(value: Any) -> str:
    if type(value) is int:
        return "a whole number of more than 63 bits"
    if type(value) is str:
        return f"a text of more than {MAX_TEXT} characters"
    return f"an object of type {type(value).__name__}"


# ---- reading


def load(read: Callable[[int], bytes]) -> dict[str, Any]:
    """The next message. `read(n)` gives exactly n bytes or raises.

    Raises
    ------
    ProtocolError
        for anything that `dump` would not have written
    """
    magic, n_header, n_body = PREFIX.unpack(read(PREFIX.size))
    if magic != MAGIC:
        raise ProtocolError("what came is no frame")
    if n_header > MAX_HEADER or n_body > MAX_BODY:
        raise ProtocolError(f"a frame of {n_header} and {n_body} bytes is too long")
    try:
        tree = json.loads(read(n_header), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the header is not sound: {type(error).__name__}") from None
    body = _Body(read(n_body))
    message = _decode(tree, body, 0)
    if not isinstance(message, dict) or body.left:
        raise ProtocolError("the frame holds something else than its header says")
    return message


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


class _Body:
    """The raw bytes, taken from the front."""

    def __init__(self, raw: bytes):
        self.raw, self.at = raw, 0

    @property
    def left(self) -> int:
        return len(self.raw) - self.at

    def take(self, n_bytes: int) -> bytes:
        if n_bytes > self.left:
            raise ProtocolError("an array is longer than the bytes that came")
        self.at += n_bytes
        return self.raw[self.at - n_bytes : self.at]


def _decode(tree: Any, body: _Body, depth: int) -> Any:
    """What `_encode` took apart; every deviation is a ProtocolError."""
    if depth > MAX_DEPTH:
        raise ProtocolError("lists inside lists, too deep")
    if not isinstance(tree, list) or not tree or not isinstance(tree[0], str):
        raise ProtocolError("a value without a kind")
    kind, parts = tree[0], tree[1:]
    if kind == "none" and not parts:
        return None
    if kind == "array" and len(parts) == 2:
        return _decode_array(*parts, body)
    if len(parts) != 1:
        raise ProtocolError(f"a value of kind {kind[:20]!r} with {len(parts)} parts")
    (part,) = parts
    plain = {"bool": bool, "int": int, "str": str}
    if kind in plain and type(part) is plain[kind]:
        return part
    if kind == "float" and isinstance(part, str):
        try:
            return float.fromhex(part)
        except (ValueError, OverflowError):
            raise ProtocolError("a number that is none") from None
    if kind == "seed" and type(part) is int and part >= 0:
        return Seed(part)
    if kind in ("list", "tuple") and isinstance(part, list):
        return (list if kind == "list" else tuple)(_all(part, body, depth))
    if kind == "dict" and isinstance(part, dict):
        return dict(zip(part, _all(part.values(), body, depth), strict=True))
    raise ProtocolError(f"a value of kind {kind[:20]!r}")


def _all(trees: Any, body: _Body, depth: int) -> Iterator[Any]:
    return (_decode(tree, body, depth + 1) for tree in trees)


def _decode_array(code: Any, shape: Any, body: _Body) -> np.ndarray:
    """An array of its own, writable, of exactly the bytes that its shape asks for."""
    dtype = CODES.get(code) if isinstance(code, str) else None
    if dtype is None:
        raise ProtocolError("an array of an unknown dtype")
    sound = isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS
    if not sound or not all(type(n) is int and 0 <= n <= MAX_BODY for n in shape):
        raise ProtocolError("an array with an impossible shape")
    n_bytes = dtype.itemsize
    for length in shape:
        n_bytes *= length
    flat = np.frombuffer(bytearray(body.take(n_bytes)), dtype=dtype)
    if dtype == np.bool_:  # a byte that is neither 0 nor 1 would be a third truth value
        flat = flat.view(np.uint8) != 0
    try:
        return flat.reshape(shape)
    except ValueError:  # (0, 2**26, 2**26, 2**26)
        raise ProtocolError("an array with an impossible shape") from None
