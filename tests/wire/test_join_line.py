"""A join line says what was written, or is refused with what is wrong with it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_node.chain.codec import encode
from lc_node.chain.types import Millis
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.invitations import invite
from lc_node.wire.join_line import (
    PREFIX,
    BadJoinLine,
    BearerSecret,
    Bootstrap,
    JoinLine,
    Pass,
    read_join_line,
    write_join_line,
)
from lc_node.wire.session import TransportKey
from tests.peer_nodes import CHAIN, SeededSigner

ANN, BOB = SeededSigner(1), SeededSigner(2)


def line(host: str = "192.0.2.7", passes: tuple[Pass, ...] = ()) -> JoinLine:
    bootstrap = Bootstrap(
        key=ANN.public_key,
        transport_key=TransportKey(b"t" * 32),
        endpoints=(Endpoint(host=Host(host), port=Port(4040)),),
    )
    return JoinLine(chain_id=CHAIN, graph="lab", bootstraps=(bootstrap,), passes=passes)


PASS = Pass(
    invitation=invite(ANN, CHAIN, BOB.public_key, Millis(7)), secret=(BearerSecret(b"s" * 32),)
)
TEXT = write_join_line(line())


@pytest.mark.parametrize("said", [line(), line("node.example.org"), line(passes=(PASS,))])
def test_what_is_written_is_read(said: JoinLine) -> None:
    assert read_join_line(write_join_line(said)) == said


def test_a_line_is_one_word_that_fits_a_message() -> None:
    assert set(TEXT) <= set(string.ascii_lowercase + string.digits)
    assert len(TEXT) < 300


def test_case_and_breaks_do_not_matter() -> None:
    assert read_join_line(f" {TEXT[:50].upper()}\n{TEXT[50:]}\n") == line()


@given(st.integers(min_value=len(PREFIX), max_value=len(TEXT) - 1), st.sampled_from("abcdefgh"))
def test_a_mistyped_character_is_noticed(place: int, typed: str) -> None:
    mistyped = TEXT[:place] + typed + TEXT[place + 1 :]
    if mistyped == TEXT:
        return
    with pytest.raises(BadJoinLine):
        read_join_line(mistyped)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begin with"),
        ("lc1qqqq", "begin with"),
        (TEXT[:-4], "checksum|one too few"),
        (PREFIX, "checksum"),
        (TEXT.replace("lcjoin1", "lcjoin2"), "another version"),
        (TEXT + "1", "does not use|do not use"),
        (PREFIX + "a" * 20_000, "too long"),
        (PREFIX + "\u00e9" + TEXT[8:], "do not use"),
        (write_join_line(line("0x7f.1")), "cannot be dialed|can be dialed"),
    ],
)
def test_a_bad_line_is_refused_with_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(BadJoinLine, match=why):
        read_join_line(text)


def test_a_line_with_a_fitting_checksum_may_still_be_nonsense() -> None:
    with pytest.raises(BadJoinLine, match="join line"):
        read_join_line(write_join_line(encode("nonsense")))  # type: ignore[arg-type]  # on purpose
