"""What a frame that came in is handed on as."""

import zmq

from lc_node.adapters.zmq_sockets import content_of
from lc_node.wire.limits import LARGE_FRAME_BYTES


def test_a_small_frame_is_copied_so_that_it_does_not_hold_the_transports_memory() -> None:
    assert content_of(zmq.Frame(b"small")) == b"small"
    assert isinstance(content_of(zmq.Frame(b"small")), bytes)


def test_a_large_frame_is_a_view() -> None:
    data = bytes(LARGE_FRAME_BYTES)

    content = content_of(zmq.Frame(data))

    assert isinstance(content, memoryview)
    assert content == data
