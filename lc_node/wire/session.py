"""How a connection becomes a session with a proved identity: one table of transitions, no IO."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Annotated, Final, NewType, TypeAlias, TypeVar

import msgspec

from lc_node.chain.crypto import Signer, digest, verify
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import ChainId, PublicKey, Signature
from lc_node.wire.invitations import Ticket
from lc_node.wire.kinds import Channel, Kind
from lc_node.wire.messages import (
    PROTOCOL_VERSION,
    Frame,
    Hello,
    Message,
    Refusal,
    Refused,
    Welcome,
    decode_message,
    encode_message,
    kind_of,
)

TransportKey = NewType(
    "TransportKey", Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
)
"""A CURVE (X25519) public key; CurveZMQ (RFC 26) proves that the other end holds its secret."""

Admits: TypeAlias = Callable[[PublicKey, tuple[Ticket, ...]], bool]
Greeting = TypeVar("Greeting", Hello, Welcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who we are on every connection."""

    chain_id: ChainId
    node_key: PublicKey
    proof: Signature
    tickets: tuple[Ticket, ...] = ()
    """By what a private graph lets us in; empty if we need none."""


def binding_message(chain_id: ChainId, node_key: PublicKey, transport_key: TransportKey) -> bytes:
    """Return what a node key signs to own a transport key on a chain."""
    return digest("lc/transport/1", chain_id, node_key, transport_key)


def identity_of(
    signer: Signer,
    chain_id: ChainId,
    transport_key: TransportKey,
    tickets: tuple[Ticket, ...] = (),
) -> Identity:
    """Return a signer's identity behind a transport key."""
    proof = signer.sign(binding_message(chain_id, signer.public_key, transport_key))
    return Identity(chain_id=chain_id, node_key=signer.public_key, proof=proof, tickets=tickets)


def admits_everyone(_peer: PublicKey, _tickets: tuple[Ticket, ...]) -> bool:
    """Let anybody in, as a public graph does."""
    return True


class Role(Enum):
    """Which end of the connection we are."""

    DIALER = auto()
    LISTENER = auto()


class State(Enum):
    """How far a connection has come."""

    GREETING = auto()
    ESTABLISHED = auto()
    CLOSED = auto()


class Event(Enum):
    """What happens to a connection."""

    OPENED = auto()
    GOOD_HELLO = auto()
    BAD_HELLO = auto()
    GOOD_WELCOME = auto()
    BAD_WELCOME = auto()
    REFUSED = auto()
    ALIVE = auto()
    """A keepalive."""
    TRAFFIC = auto()
    """Any other frame."""
    HUNG_UP = auto()
    """We end it: a ban, or silence while greeting."""


class Action(Enum):
    """What follows."""

    GREET = auto()
    """Send our Hello."""
    ANSWER = auto()
    """Send our Welcome."""
    REFUSE = auto()
    """Send Refused with the reason."""
    DELIVER = auto()
    """Hand the frame on."""


_GREETING_KINDS: Final = frozenset({Kind.HELLO, Kind.WELCOME, Kind.REFUSED, Kind.KEEPALIVE})
_S = State
_E = Event
_A = Action
Step: TypeAlias = tuple[State, tuple[Action, ...]]

TABLE: Final[Mapping[tuple[Role, State, Event], Step]] = MappingProxyType(
    {
        (Role.DIALER, _S.GREETING, _E.OPENED): (_S.GREETING, (_A.GREET,)),
        (Role.DIALER, _S.GREETING, _E.GOOD_HELLO): (_S.CLOSED, ()),
        (Role.DIALER, _S.GREETING, _E.BAD_HELLO): (_S.CLOSED, ()),
        (Role.DIALER, _S.GREETING, _E.GOOD_WELCOME): (_S.ESTABLISHED, ()),
        (Role.DIALER, _S.GREETING, _E.BAD_WELCOME): (_S.CLOSED, ()),
        (Role.DIALER, _S.GREETING, _E.REFUSED): (_S.CLOSED, ()),
        (Role.DIALER, _S.GREETING, _E.ALIVE): (_S.GREETING, ()),
        # A listener sends nothing before its Welcome.
        (Role.DIALER, _S.GREETING, _E.TRAFFIC): (_S.CLOSED, ()),
        (Role.DIALER, _S.GREETING, _E.HUNG_UP): (_S.CLOSED, ()),
        (Role.LISTENER, _S.GREETING, _E.OPENED): (_S.GREETING, ()),
        (Role.LISTENER, _S.GREETING, _E.GOOD_HELLO): (_S.ESTABLISHED, (_A.ANSWER,)),
        (Role.LISTENER, _S.GREETING, _E.BAD_HELLO): (_S.CLOSED, (_A.REFUSE,)),
        (Role.LISTENER, _S.GREETING, _E.GOOD_WELCOME): (_S.CLOSED, (_A.REFUSE,)),
        (Role.LISTENER, _S.GREETING, _E.BAD_WELCOME): (_S.CLOSED, (_A.REFUSE,)),
        (Role.LISTENER, _S.GREETING, _E.REFUSED): (_S.CLOSED, ()),
        (Role.LISTENER, _S.GREETING, _E.ALIVE): (_S.GREETING, ()),
        # We may have forgotten a session that the other end still believes in.
        (Role.LISTENER, _S.GREETING, _E.TRAFFIC): (_S.CLOSED, (_A.REFUSE,)),
        (Role.LISTENER, _S.GREETING, _E.HUNG_UP): (_S.CLOSED, (_A.REFUSE,)),
        **{
            (role, _S.ESTABLISHED, event): step
            for role in Role
            for event, step in {
                _E.OPENED: (_S.ESTABLISHED, ()),
                # A second greeting is delivered like any frame, and counted as an offence above.
                _E.GOOD_HELLO: (_S.ESTABLISHED, (_A.DELIVER,)),
                _E.BAD_HELLO: (_S.ESTABLISHED, (_A.DELIVER,)),
                _E.GOOD_WELCOME: (_S.ESTABLISHED, (_A.DELIVER,)),
                _E.BAD_WELCOME: (_S.ESTABLISHED, (_A.DELIVER,)),
                _E.REFUSED: (_S.CLOSED, ()),
                _E.ALIVE: (_S.ESTABLISHED, ()),
                _E.TRAFFIC: (_S.ESTABLISHED, (_A.DELIVER,)),
                _E.HUNG_UP: (_S.CLOSED, (_A.REFUSE,)),
            }.items()
        },
        # Nothing is answered on a closed connection, so that it cannot be made to chatter.
        **{(role, _S.CLOSED, event): (_S.CLOSED, ()) for role in Role for event in Event},
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the shell has to do after an event."""

    send: tuple[bytes, ...] = ()
    deliver: bool = False
    """The frame that came in is for the layers above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What decides on a greeting, besides the greeting itself."""

    identity: Identity
    is_forbidden: Callable[[PublicKey], bool]
    has_room: Callable[[PublicKey, Channel], bool]
    admits: Admits = admits_everyone
    """Whether a key, with these tickets, may be on our graph."""


class Session:
    """One connection: feed it events, do what it answers."""

    def __init__(
        self,
        policy: Policy,
        role: Role,
        transport_key: TransportKey,
        *,
        channel: Channel = Channel.CONSENSUS,
        expected: PublicKey | None = None,
    ) -> None:
        """Begin to greet; a dialer says which channel it opens and whom it expects to answer."""
        self._policy = policy
        self._role = role
        self._transport_key = transport_key
        self._expected = expected
        self.state = State.GREETING
        self.channel = channel
        self.peer: PublicKey | None = None
        self._tickets: tuple[Ticket, ...] = ()
        self.refusal: Refusal | None = None

    def open(self) -> Outcome:
        """Start: a dialer greets."""
        return self._step(Event.OPENED)

    def hang_up(self, reason: Refusal) -> Outcome:
        """End the session for a reason that the peer is told."""
        self.refusal = reason
        return self._step(Event.HUNG_UP)

    def is_admitted(self) -> bool:
        """Return whether the peer may still be on our graph: its invitation may have ended since it greeted."""
        return self.peer is None or self._policy.admits(self.peer, self._tickets)

    def receive(self, frame: Frame) -> Outcome:
        """Take a frame from the peer."""
        if self.state is State.CLOSED:
            return Outcome()
        return self._step(self._classify(frame))

    def _step(self, event: Event) -> Outcome:
        self.state, actions = TABLE[self._role, self.state, event]
        return Outcome(
            send=tuple(frame for action in actions for frame in self._frames(action)),
            deliver=Action.DELIVER in actions,
        )

    def _frames(self, action: Action) -> tuple[bytes, ...]:
        if action is Action.GREET:
            return (encode_message(self._greeting(Hello)),)
        if action is Action.ANSWER:
            return (encode_message(self._greeting(Welcome)),)
        if action is Action.REFUSE:
            return (encode_message(Refused(reason=self.refusal or Refusal.GREET_FIRST)),)
        return ()

    def _greeting(self, kind: type[Greeting]) -> Greeting:
        own = self._policy.identity
        return kind(
            version=PROTOCOL_VERSION,
            chain_id=own.chain_id,
            channel=self.channel,
            node_key=own.node_key,
            proof=own.proof,
            tickets=own.tickets,
        )

    def _classify(self, frame: Frame) -> Event:
        try:
            kind = kind_of(frame)
            if kind not in _GREETING_KINDS:
                return Event.TRAFFIC
            message = decode_message(frame)
        except MalformedBytes:
            if self.state is State.GREETING:
                self.refusal = Refusal.MALFORMED
            return Event.TRAFFIC
        return self._classify_greeting(message)

    def _classify_greeting(self, message: Message) -> Event:
        if isinstance(message, Refused):
            self.refusal = message.reason
            return Event.REFUSED
        if isinstance(message, Hello | Welcome):
            good = self._greeted(message)
            if isinstance(message, Hello):
                return Event.GOOD_HELLO if good else Event.BAD_HELLO
            return Event.GOOD_WELCOME if good else Event.BAD_WELCOME
        return Event.ALIVE

    def _greeted(self, greeting: Hello | Welcome) -> bool:
        """Judge a greeting; what it says counts only before the session is established."""
        if self.state is not State.GREETING:
            return False
        self.refusal = self._judge(greeting)
        if self.refusal is None:
            self.peer = greeting.node_key
            self._tickets = greeting.tickets
            self.channel = greeting.channel
        return self.refusal is None

    def _judge(self, greeting: Hello | Welcome) -> Refusal | None:
        own = self._policy.identity
        is_ours = self._role is Role.LISTENER or greeting.channel is self.channel
        checks = (
            # Versions come first: another version may mean other things by the rest.
            (greeting.version == PROTOCOL_VERSION, Refusal.OTHER_VERSION),
            # Networks that share machines must not mix.
            (greeting.chain_id == own.chain_id, Refusal.OTHER_CHAIN),
            # A node with our key is ourselves, or a copy that must not run beside us.
            (greeting.node_key != own.node_key, Refusal.OWN_KEY),
            # The peer list says who lives at an address.
            (self._expected in {None, greeting.node_key}, Refusal.OTHER_NODE),
            # A listener answers on the channel that was opened.
            (is_ours, Refusal.MALFORMED),
            # The node key vouches for the transport key that CURVE has proved.
            (self._proves(greeting), Refusal.BAD_PROOF),
            (not self._policy.is_forbidden(greeting.node_key), Refusal.BANNED),
            # Nobody hears anything of a private graph before this.
            (self._policy.admits(greeting.node_key, greeting.tickets), Refusal.NOT_INVITED),
            (self._policy.has_room(greeting.node_key, greeting.channel), Refusal.FULL),
        )
        return next((reason for holds, reason in checks if not holds), None)

    def _proves(self, greeting: Hello | Welcome) -> bool:
        message = binding_message(greeting.chain_id, greeting.node_key, self._transport_key)
        return verify(greeting.node_key, message, greeting.proof)


def keeper_of(first: PublicKey, second: PublicKey) -> PublicKey:
    """Return whose dialed connection two nodes keep when both dialed: the lower key's."""
    return min(first, second)
