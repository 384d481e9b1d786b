"""The kinds of frames that peers exchange, and the channel that each belongs on."""

from enum import IntEnum


class Channel(IntEnum):
    """Frames of different urgency travel apart, so that a vote never waits behind a model."""

    CONSENSUS = 1
    BULK = 2


class Kind(IntEnum):
    """The first byte of every frame."""

    HELLO = 1
    """The dialer's greeting."""
    WELCOME = 2
    """The listener's greeting; the session is established."""
    REFUSED = 3
    """No session, or no longer; with the reason."""
    KEEPALIVE = 4
    """Shows that the connection is still there."""
    STATUS = 5
    """How far the sender's chain has come."""
    CONSENSUS = 6
    """A message of the agreement, opaque here."""
    TRANSACTIONS = 7
    """Signed transactions: pushed, or sent because they were asked for."""
    REQUEST = 8
    """A question on a topic: blocks, certificates, snapshots."""
    RESPONSE = 9
    """The answer to a request."""
    GET_BLOB = 10
    """Asks how large a blob is and what its chunks are."""
    BLOB = 11
    """Answers with size and chunk digests."""
    NO_BLOB = 12
    """Says at once that a blob is not here, or that there is no time for it now."""
    GET_CHUNK = 13
    """Asks for one chunk of a blob."""
    CHUNK = 14
    """One chunk's bytes."""
    ANNOUNCE = 15
    """Names transactions that the sender has."""
    WANT = 16
    """Asks for announced transactions."""
    PRUNE = 17
    """Asks not to be pushed to for a while: enough others do."""
    PART = 18
    """Says which chunks of a blob the sender can hand on, though it is still fetching it itself."""
    GET_DATA_PORT = 19
    """Asks where a data connection for chunks can be made."""
    DATA_PORT = 20
    """Says where, and the secret that encrypts it."""
    DATA_LOST = 21
    """Says that the data connection has ended, with what was on its way."""
