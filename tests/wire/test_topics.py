"""Topics of requests: each has a number of its own that fits where a request has it."""

import pytest

from lc_node.wire.messages import Request, decode_message, encode_message
from lc_node.wire.topics import Topic


def test_every_topic_has_a_number_of_its_own() -> None:
    assert len({int(topic) for topic in Topic}) == len(Topic.__members__)


@pytest.mark.parametrize("topic", Topic)
def test_a_request_carries_every_topic(topic: Topic) -> None:
    request = Request(number=1, topic=topic, payload=b"")

    assert decode_message(encode_message(request)) == request
