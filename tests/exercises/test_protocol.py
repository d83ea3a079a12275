"""The protocol carries what may travel, and believes nothing that it reads."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from exercises.grading import protocol
from exercises.grading.protocol import ProtocolError, Seed, UnsendableError


def exactly(data: bytes):
    """A reader of these bytes."""
    stream = io.BytesIO(data)

    def read(n: int) -> bytes:
        part = stream.read(n)
        if len(part) < n:
            raise EOFError
        return part

    return read


def there_and_back(value):
    """What arrives of a value that is sent."""
    return protocol.load(exactly(protocol.dump({"value": value})))["value"]


def frame(header: object, body: bytes = b"") -> bytes:
    """A frame with any header."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return protocol.PREFIX.pack(protocol.MAGIC, len(raw), len(body)) + raw + body


# What travels


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -(2**62), 1e-300, float("inf"), "ü", "", [], (1, [2.5, (None,)]), {"a": [1]}],
    ids=repr,
)
def test_plain_value_arrives_as_it_was(value):
    arrived = there_and_back(value)
    assert arrived == value
    assert type(arrived) is type(value)


def test_nan_arrives_as_nan():
    assert np.isnan(there_and_back(float("nan")))


def test_seed_arrives_as_a_seed():
    assert there_and_back(Seed(7)) == Seed(7)


@pytest.mark.parametrize("dtype", protocol.DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)], ids=str)
def test_array_arrives_with_shape_dtype_and_numbers(dtype, shape):
    array = (np.arange(np.prod(shape, dtype=int)) % 2).reshape(shape).astype(dtype)
    arrived = there_and_back(array)
    assert (arrived.shape, arrived.dtype) == (array.shape, array.dtype)
    assert np.array_equal(arrived, array)


def test_two_arrays_keep_their_own_bytes():
    first, second = np.arange(3.0), np.arange(4, dtype=np.int16)
    arrived = there_and_back([first, second])
    assert np.array_equal(arrived[0], first)
    assert np.array_equal(arrived[1], second)


def test_transposed_and_big_endian_arrays_arrive_in_order():
    array = np.arange(6.0).reshape(2, 3).T.astype(">f8")
    assert np.array_equal(there_and_back(array), [[0, 3], [1, 4], [2, 5]])


def test_arrived_array_can_be_written_to():
    array = there_and_back(np.zeros(2))
    array[0] = 1
    assert array.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "type object"),
        (np.array([None]), "dtype object"),
        (np.array(["a"]), "dtype <U1"),
        (np.zeros(1, dtype=complex), "dtype complex128"),
        (2**70, "63 bits"),
        ("x" * 10**6, "characters"),
        ({1: 2}, "type dict"),
        (np.random.default_rng(0), "type Generator"),
        (np.zeros(2**23 + 1), "megabytes"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_travel_is_described(value, said):
    with pytest.raises(UnsendableError, match=said):
        protocol.dump({"value": value})


def test_list_inside_itself_cannot_travel():
    endless: list = []
    endless.append(endless)
    with pytest.raises(UnsendableError, match="too deep"):
        protocol.dump({"value": endless})


# What is refused


@pytest.mark.parametrize(
    "data",
    [
        b"PICK" + bytes(12),
        protocol.PREFIX.pack(protocol.MAGIC, protocol.MAX_HEADER + 1, 0),
        protocol.PREFIX.pack(protocol.MAGIC, 2, 2**40),
        frame(b"\xff\xfe"),
        frame(b"[" * 100_000),
        frame(b"[" * 100_000 + b"]" * 100_000),
        frame(b'["float", NaN]'),
        frame([]),
        frame(["list", []]),
        frame(["dict", {"a": 1}]),
        frame(["dict", {"a": ["float", "one"]}]),
        frame(["dict", {"a": ["float", "0x1p99999"]}]),
        frame(["dict", {"a": ["bool", 1]}]),
        frame(["dict", {"a": ["int", 1.5]}]),
        frame(["dict", {"a": ["class", "os.system"]}]),
        frame(["dict", {"a": ["int", 1, 2]}]),
        frame(["dict", {"a": ["seed", -1]}]),
        frame(["dict", {}], b"left over"),
        frame(["dict", {"a": ["array", "<f8", [2]]}], bytes(15)),
        frame(["dict", {"a": ["array", "|O", [1]]}], bytes(8)),
        frame(["dict", {"a": ["array", "<f8", [-1]]}], bytes(8)),
        frame(["dict", {"a": ["array", "<f8", [True]]}], bytes(8)),
        frame(["dict", {"a": ["array", "<f8", "11"]}], bytes(8)),
        frame(["dict", {"a": ["array", "|u1", [1] * 9]}], bytes(1)),
        frame(["dict", {"a": ["array", "|u1", [2**30, 2**30]]}], bytes(1)),
        frame(["dict", {"a": ["array", "|u1", [0, *[2**26] * 5]]}]),
    ],
    ids=lambda data: repr(data[16:56]),
)
def test_what_is_no_frame_is_refused(data):
    with pytest.raises(ProtocolError):
        protocol.load(exactly(data))


def test_depth_has_a_limit():
    tree: list = ["none"]
    for _ in range(20):
        tree = ["list", [tree]]
    with pytest.raises(ProtocolError, match="too deep"):
        protocol.load(exactly(frame(["dict", {"a": tree}])))


def test_bytes_that_are_no_truth_value_become_one():
    data = frame(["dict", {"a": ["array", "|b1", [2]]}], b"\x00\x07")
    arrived = protocol.load(exactly(data))["a"]
    assert arrived.view(np.uint8).tolist() == [0, 1]
