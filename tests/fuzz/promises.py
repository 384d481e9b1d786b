"""What a decoder of strangers' bytes promises, as checks that fail if it breaks its word."""

from collections.abc import Callable
from typing import Any, TypeAlias

Check: TypeAlias = Callable[[bytes], bool]
"""Reads some bytes; returns whether they were accepted, and raises if a promise was broken."""

Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...]


def canonical(
    decode: Callable[[bytes], Any], encode: Callable[[Any], bytes], refusal: Errors
) -> Check:
    """Promise: a named refusal, or a value whose encoding is exactly the bytes that were read."""

    def check(data: bytes) -> bool:
        try:
            value = decode(data)
        except refusal:
            return False
        assert encode(value) == data, "a second encoding of the same value"
        return True

    return check


def stable(
    decode: Callable[[bytes], Any], encode: Callable[[Any], bytes], refusal: Errors
) -> Check:
    """Promise: a named refusal, or a value that is read back as it was from its own encoding."""

    def check(data: bytes) -> bool:
        try:
            value = decode(data)
        except refusal:
            return False
        written = encode(value)
        assert encode(decode(written)) == written, "what was read is not what is written"
        return True

    return check


def named(decode: Callable[[bytes], Any], refusal: Errors) -> Check:
    """Promise: a value or a named refusal, nothing else."""

    def check(data: bytes) -> bool:
        try:
            decode(data)
        except refusal:
            return False
        return True

    return check
