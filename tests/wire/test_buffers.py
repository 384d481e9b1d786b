"""Buffers that are used again: never while anybody looks at them."""

import pytest

from lc_node.wire.buffers import BufferPool


@pytest.fixture
def pool() -> BufferPool:
    return BufferPool(bytes_each=4, kept_max=2)


def test_a_buffer_that_nobody_holds_is_handed_out_again(pool: BufferPool) -> None:
    pool.take()[:] = b"abcd"

    assert bytes(pool.take()) == b"abcd"


def test_a_buffer_is_as_long_the_second_time(pool: BufferPool) -> None:
    pool.take()

    assert len(pool.take()) == 4


def test_a_buffer_that_is_held_is_nobody_elses(pool: BufferPool) -> None:
    held = pool.take()
    held[:] = b"abcd"

    pool.take()[:] = b"efgh"

    assert bytes(held) == b"abcd"


def test_a_buffer_of_which_a_slice_is_held_is_nobody_elses(pool: BufferPool) -> None:
    whole = pool.take()
    part = whole[1:3]
    part[:] = b"bc"
    del whole

    pool.take()[:] = b"efgh"

    assert bytes(part) == b"bc"


def test_no_more_are_kept_than_may_be(pool: BufferPool) -> None:
    held = [pool.take() for _ in range(5)]

    assert len(pool) == 2
    assert len({id(one.obj) for one in held}) == 5


def test_a_pool_that_was_cleared_begins_anew(pool: BufferPool) -> None:
    held = pool.take()
    held[:] = b"abcd"

    pool.clear()

    assert len(pool) == 0
    assert bytes(held) == b"abcd"
