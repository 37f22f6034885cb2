"""Bencoding: what was encoded is decoded again, and malformed input is refused with ValueError alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipwright.modules import bencode

VALUES = st.recursive(
    st.integers(-(10**18), 10**18) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_decode_is_the_inverse_of_encode(value: Any) -> None:
    assert bencode.decode(bencode.encode(value)) == value


@given(st.binary(max_size=64))
def test_any_bytes_are_a_value_or_a_value_error(data: bytes) -> None:
    try:
        bencode.decode(data)
    except ValueError:
        return


@given(VALUES, st.data())
def test_a_changed_byte_is_a_value_or_a_value_error(value: Any, data: st.DataObject) -> None:
    encoded = bytearray(bencode.encode(value))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] = data.draw(st.integers(0, 255))
    try:
        bencode.decode(bytes(encoded))
    except ValueError:
        return


@pytest.mark.parametrize(
    "data",
    [b"", b"i", b"ie", b"i--1e", b"5:abc", b"d", b"di1e1:ae", b"l", b"x", b"1:aa", b"d1:a", b"-1:a", b"l" * 5_000],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(ValueError, match="bencode"):
        bencode.decode(data)


def test_bytes_that_are_no_text_survive() -> None:
    assert bencode.encode(bencode.decode(b"2:\xff\xfe")) == b"2:\xff\xfe"


def test_truth_values_are_refused() -> None:
    with pytest.raises(TypeError):
        bencode.encode([True])
