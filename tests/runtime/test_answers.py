"""Questions of peers find whoever answers their topic."""

from lc_node.chain.types import PublicKey
from lc_node.runtime.answers import Answers
from lc_node.wire.topics import Topic

ANN = PublicKey(bytes(32))


async def _echo(peer: PublicKey, payload: bytes) -> bytes | None:
    return peer[:1] + payload


async def test_a_question_goes_to_who_answers_its_topic() -> None:
    answers = Answers({Topic.STATE: _echo})

    assert await answers.answer(ANN, Topic.STATE, b"question") == b"\x00question"


async def test_a_topic_that_nobody_answers_has_no_answer() -> None:
    answers = Answers({Topic.STATE: _echo})

    assert await answers.answer(ANN, Topic.EPOCHS, b"question") is None


async def test_a_topic_of_a_later_version_has_no_answer() -> None:
    assert await Answers({}).answer(ANN, 200, b"question") is None
