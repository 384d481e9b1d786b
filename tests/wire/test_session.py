"""The handshake: a complete table, and greetings that prove who sends them."""

from dataclasses import replace
from itertools import product

import pytest

from lc_node.chain.crypto import sha256
from lc_node.chain.types import ChainId, Millis, PublicKey
from lc_node.wire.invitations import Ticket, claim, invite
from lc_node.wire.kinds import Channel
from lc_node.wire.messages import (
    PROTOCOL_VERSION,
    Hello,
    Keepalive,
    Refusal,
    Refused,
    Status,
    Welcome,
    decode_message,
    encode_message,
)
from lc_node.wire.session import (
    TABLE,
    Action,
    Admits,
    Event,
    Identity,
    Outcome,
    Policy,
    Role,
    Session,
    State,
    TransportKey,
    admits_everyone,
    identity_of,
    keeper_of,
)
from tests.peer_nodes import CHAIN, OTHER_CHAIN, SeededSigner

ANN, BOB = SeededSigner(1), SeededSigner(2)
ANN_TRANSPORT, BOB_TRANSPORT = TransportKey(b"a" * 32), TransportKey(b"b" * 32)
ANN_IDENTITY = identity_of(ANN, CHAIN, ANN_TRANSPORT)
BOB_IDENTITY = identity_of(BOB, CHAIN, BOB_TRANSPORT)
TRAFFIC = encode_message(Status(height=0))  # type: ignore[arg-type]  # a NewType over int


def policy(
    identity: Identity,
    *,
    forbidden: bool = False,
    room: bool = True,
    admits: Admits = admits_everyone,
) -> Policy:
    return Policy(
        identity=identity,
        is_forbidden=lambda _peer: forbidden,
        has_room=lambda _peer, _channel: room,
        admits=admits,
    )


def listener(
    identity: Identity = ANN_IDENTITY, *, forbidden: bool = False, room: bool = True
) -> Session:
    return Session(policy(identity, forbidden=forbidden, room=room), Role.LISTENER, BOB_TRANSPORT)


def dialer(expected: PublicKey = ANN.public_key) -> Session:
    return Session(
        policy(BOB_IDENTITY),
        Role.DIALER,
        ANN_TRANSPORT,
        channel=Channel.BULK,
        expected=expected,
    )


def hello(identity: Identity = BOB_IDENTITY, version: int = PROTOCOL_VERSION) -> bytes:
    return encode_message(
        Hello(
            version=version,
            chain_id=identity.chain_id,
            channel=Channel.BULK,
            node_key=identity.node_key,
            proof=identity.proof,
            tickets=identity.tickets,
        )
    )


def refusal_to(session: Session, frame: bytes) -> Refusal:
    (answer,) = session.receive(frame).send
    refused = decode_message(answer)
    assert isinstance(refused, Refused)
    assert session.state is State.CLOSED
    return refused.reason


def test_the_table_says_what_follows_on_every_event_in_every_state() -> None:
    assert set(TABLE) == set(product(Role, State, Event))


def test_nothing_leads_out_of_closed_and_nothing_is_said_there() -> None:
    closed = [step for (_, state, _), step in TABLE.items() if state is State.CLOSED]

    assert set(closed) == {(State.CLOSED, ())}


def test_only_an_established_session_delivers() -> None:
    delivering = {
        state for (_, state, _), (_, actions) in TABLE.items() if Action.DELIVER in actions
    }

    assert delivering == {State.ESTABLISHED}


def test_only_a_good_greeting_establishes() -> None:
    establishing = {
        (role, event)
        for (role, state, event), (then, _) in TABLE.items()
        if state is State.GREETING and then is State.ESTABLISHED
    }

    assert establishing == {
        (Role.DIALER, Event.GOOD_WELCOME),
        (Role.LISTENER, Event.GOOD_HELLO),
    }


def test_hello_and_welcome_establish_both_ends() -> None:
    bob, ann = dialer(), listener()

    (greeting,) = bob.open().send
    (answer,) = ann.receive(greeting).send
    outcome = bob.receive(answer)

    assert (bob.state, bob.peer) == (State.ESTABLISHED, ANN.public_key)
    assert (ann.state, ann.peer) == (State.ESTABLISHED, BOB.public_key)
    assert ann.channel is Channel.BULK
    assert outcome == Outcome()


def test_an_established_session_delivers_traffic_and_swallows_keepalives() -> None:
    ann = listener()
    ann.receive(hello())

    assert ann.receive(TRAFFIC).deliver
    assert not ann.receive(encode_message(Keepalive())).deliver


def test_garbage_on_an_established_session_is_delivered_to_be_counted() -> None:
    ann = listener()
    ann.receive(hello())

    assert ann.receive(b"").deliver
    assert ann.state is State.ESTABLISHED


def test_another_chain_is_refused() -> None:
    other = identity_of(BOB, OTHER_CHAIN, BOB_TRANSPORT)

    assert refusal_to(listener(), hello(other)) is Refusal.OTHER_CHAIN


def test_another_version_is_refused() -> None:
    assert refusal_to(listener(), hello(version=PROTOCOL_VERSION + 1)) is Refusal.OTHER_VERSION


def test_our_own_key_is_refused() -> None:
    assert refusal_to(listener(BOB_IDENTITY), hello()) is Refusal.OWN_KEY


def test_a_proof_for_another_transport_key_is_refused() -> None:
    stolen = identity_of(BOB, CHAIN, ANN_TRANSPORT)

    assert refusal_to(listener(), hello(stolen)) is Refusal.BAD_PROOF


def test_a_proof_by_another_node_key_is_refused() -> None:
    forged = replace(BOB_IDENTITY, node_key=SeededSigner(3).public_key)

    assert refusal_to(listener(), hello(forged)) is Refusal.BAD_PROOF


def test_a_proof_for_another_chain_is_refused() -> None:
    moved = replace(identity_of(BOB, OTHER_CHAIN, BOB_TRANSPORT), chain_id=CHAIN)

    assert refusal_to(listener(), hello(moved)) is Refusal.BAD_PROOF


def test_a_banned_peer_is_refused() -> None:
    assert refusal_to(listener(forbidden=True), hello()) is Refusal.BANNED


def test_a_peer_for_whom_there_is_no_room_is_refused() -> None:
    assert refusal_to(listener(room=False), hello()) is Refusal.FULL


def test_a_private_graph_says_what_an_uninvited_peer_can_do() -> None:
    session = Session(
        policy(ANN_IDENTITY, admits=lambda _peer, _tickets: False), Role.LISTENER, BOB_TRANSPORT
    )

    refusal = refusal_to(session, hello())

    assert refusal is Refusal.NOT_INVITED
    assert "lc-node invite" in refusal.words


def test_a_greeting_shows_the_ticket_that_lets_its_node_in() -> None:
    ticket = claim(invite(ANN, CHAIN, BOB.public_key, Millis(1)), BOB, CHAIN, BOB.public_key)
    shown: list[tuple[PublicKey, tuple[Ticket, ...]]] = []

    def admits(peer: PublicKey, tickets: tuple[Ticket, ...]) -> bool:
        shown.append((peer, tickets))
        return True

    ann = Session(policy(ANN_IDENTITY, admits=admits), Role.LISTENER, BOB_TRANSPORT)
    ann.receive(hello(identity_of(BOB, CHAIN, BOB_TRANSPORT, (ticket,))))

    assert ann.state is State.ESTABLISHED
    assert shown == [(BOB.public_key, (ticket,))]


def test_who_was_admitted_is_so_until_its_invitation_ends() -> None:
    welcome = [True]
    session = Session(
        policy(ANN_IDENTITY, admits=lambda _peer, _tickets: welcome[0]),
        Role.LISTENER,
        BOB_TRANSPORT,
    )
    assert session.is_admitted()
    session.receive(hello())
    assert session.is_admitted()
    welcome[0] = False

    assert not session.is_admitted()


def test_a_dialer_does_not_speak_to_a_listener_that_its_private_graph_does_not_admit() -> None:
    bob = Session(
        policy(BOB_IDENTITY, admits=lambda _peer, _tickets: False),
        Role.DIALER,
        ANN_TRANSPORT,
        channel=Channel.BULK,
        expected=ANN.public_key,
    )
    bob.receive(listener_answer())

    assert (bob.state, bob.refusal) == (State.CLOSED, Refusal.NOT_INVITED)


def test_traffic_before_the_greeting_is_refused_once() -> None:
    ann = listener()

    assert refusal_to(ann, TRAFFIC) is Refusal.GREET_FIRST
    assert ann.receive(TRAFFIC).send == ()


def test_garbage_instead_of_a_greeting_is_refused() -> None:
    assert refusal_to(listener(), b"\x01garbage") is Refusal.MALFORMED


def test_a_dialer_does_not_take_another_node_for_the_one_it_expects() -> None:
    bob = dialer(expected=SeededSigner(3).public_key)
    bob.receive(listener_answer())

    assert (bob.state, bob.refusal) == (State.CLOSED, Refusal.OTHER_NODE)


def test_a_dialer_does_not_accept_an_answer_on_another_channel() -> None:
    bob = Session(policy(BOB_IDENTITY), Role.DIALER, ANN_TRANSPORT, channel=Channel.CONSENSUS)
    bob.receive(listener_answer())

    assert (bob.state, bob.refusal) == (State.CLOSED, Refusal.MALFORMED)


def listener_answer() -> bytes:
    (answer,) = listener().receive(hello()).send
    assert isinstance(decode_message(answer), Welcome)
    return answer


def test_a_dialer_learns_why_it_was_refused() -> None:
    bob = dialer()
    bob.receive(encode_message(Refused(reason=Refusal.FULL)))

    assert (bob.state, bob.refusal) == (State.CLOSED, Refusal.FULL)


def test_hanging_up_tells_the_peer_why() -> None:
    ann = listener()
    ann.receive(hello())

    (frame,) = ann.hang_up(Refusal.BANNED).send

    assert decode_message(frame) == Refused(reason=Refusal.BANNED)
    assert ann.state is State.CLOSED


def test_a_second_greeting_does_not_change_who_the_peer_is() -> None:
    ann = listener()
    ann.receive(hello())

    outcome = ann.receive(hello(identity_of(SeededSigner(3), CHAIN, BOB_TRANSPORT)))

    assert ann.peer == BOB.public_key
    assert outcome.deliver


@pytest.mark.parametrize(("first", "second"), [(ANN, BOB), (BOB, ANN)])
def test_both_ends_agree_whose_connection_stays(first: SeededSigner, second: SeededSigner) -> None:
    assert keeper_of(first.public_key, second.public_key) == min(ANN.public_key, BOB.public_key)


def test_a_proof_says_for_which_chain_it_was_made() -> None:
    other = identity_of(BOB, ChainId(sha256(b"third")), BOB_TRANSPORT)

    assert other.proof != BOB_IDENTITY.proof
