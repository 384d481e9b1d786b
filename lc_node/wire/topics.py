"""What peers may ask each other in a ``Request``; an answer is at most a frame long."""

from enum import IntEnum


class Topic(IntEnum):
    """Who reads a question's payload. A node that does not know a topic answers that it has nothing."""

    GENESIS = 1
    """The document that the chain begins with, by chunks."""
    RECORDS = 2
    """Where other nodes are reached."""
    EPOCHS = 3
    """How past epochs ended, and who voted next."""
    FINALIZED = 4
    """A final header with its certificate."""
    STATE = 5
    """Entries of the final state, with their proof."""
    SNAPSHOTS = 6
    """Which whole states may be fetched here."""
    BUCKETS = 7
    """Buckets of such a state, with their proofs."""
    BLOCKS = 8
    """Final blocks by height."""
    FOUNDING = 9
    """Who is in the room, before there is a chain."""
