"""What the state remembers of an account, of the validators, and of the chain as a whole."""

from typing import Annotated, Final

import msgspec

from lc_node.chain.codec import Record
from lc_node.chain.transactions import Resources
from lc_node.chain.types import (
    Beacon,
    ChainId,
    Epoch,
    Height,
    JobId,
    Link,
    MicroCredits,
    Millis,
    MilliTokens,
    Nonce,
    PublicKey,
    View,
    Weight,
)

AtMostOne = msgspec.Meta(max_length=1)
"""An optional field: an empty array stands for none."""


class Unbonding(Record):
    """Credits on their way out of a bond, slashable until they are released."""

    amount: MicroCredits
    time: Millis
    epoch: Epoch
    """When the withdrawal was asked for."""


class Duties(Record):
    """How often an account was drawn for a committee in an epoch, and declined."""

    epoch: Epoch
    draws: int
    declines: int


class Service(Record, kw_only=True):
    """What a key has done for the chain in this epoch."""

    blocks: int = 0
    """Blocks that it proposed."""
    duties: int = 0
    """Decided examinations in which it agreed."""
    is_ready: bool = False
    """Whether it asked to be a validator of the next epoch."""
    missed: int = 0
    """Views that it led and that came to nothing."""


NO_SERVICE: Final = Service()
"""Of a key that has done nothing yet."""


class Account(Record, kw_only=True):
    """What the chain knows of one key; a key never seen has the empty account."""

    balance: MicroCredits = MicroCredits(0)
    nonce: Nonce = Nonce(0)
    bond: MicroCredits = MicroCredits(0)
    """Credits at stake; what of them counts in this epoch says ``epoch_bond``."""
    epoch_bond: MicroCredits = MicroCredits(0)
    """The bond as it stood when this epoch began, less what was slashed since: its weight."""
    unbonding: tuple[Unbonding, ...] = ()
    tokens: MilliTokens = MilliTokens(0)
    tokens_at: Millis = Millis(0)
    """What the token bucket held, and when."""
    link: Annotated[tuple[Link, ...], AtMostOne] = ()
    """The last link of its beacon chain that was shown."""
    next_link: Annotated[tuple[Link, ...], AtMostOne] = ()
    """The beacon chain that it commits to from the next epoch."""
    resources: Annotated[tuple[Resources, ...], AtMostOne] = ()
    """What it offers for evaluating other people's models."""
    banned_at: Millis = Millis(0)
    """When it was banned; 0: it is not."""
    suspended_by: tuple[JobId, ...] = ()
    """Unfinished jobs in which a bid of this key was refuted, sorted."""
    duties: Annotated[tuple[Duties, ...], AtMostOne] = ()
    """Of the last epoch in which it was drawn."""
    service: Service = NO_SERVICE

    @property
    def is_banned(self) -> bool:
        """Whether this key may send nothing and receive nothing, for ever."""
        return self.banned_at > 0

    @property
    def is_suspended(self) -> bool:
        """Whether a job in which this key was refuted has not ended yet."""
        return bool(self.suspended_by)

    @property
    def is_engaged(self) -> bool:
        """Whether the end of an epoch has anything to do with this account."""
        return bool(
            self.epoch_bond
            or self.bond
            or self.unbonding
            or self.next_link
            or self.service != NO_SERVICE
        )

    @property
    def slashable(self) -> MicroCredits:
        """All that can still be taken from the bond: bonded and unbonding credits."""
        return MicroCredits(self.bond + sum(entry.amount for entry in self.unbonding))


EMPTY_ACCOUNT: Final = Account()
"""Of a key that the chain has never seen."""


class Member(Record):
    """A validator and its weight in an epoch."""

    key: PublicKey
    weight: Weight


class ValidatorSet(Record):
    """Who votes in an epoch, sorted by key."""

    epoch: Epoch
    members: tuple[Member, ...]


class Meta(Record, kw_only=True):
    """The chain as a whole, after a block."""

    chain_id: ChainId
    height: Height
    time: Millis
    epoch: Epoch
    epoch_began: Millis
    """The time of the block before this epoch."""
    beacon: Beacon
    genesis_credits: MicroCredits
    """The sum of all that genesis gave."""
    issued: MicroCredits = MicroCredits(0)
    burned: MicroCredits = MicroCredits(0)
    view: View = View(0)
    """The view of the last block in this epoch, 0 before its first."""
