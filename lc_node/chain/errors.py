"""The protocol's refusals, one class a cause, sorted by whose fault they are."""


def in_credits(micro: int) -> str:
    """Return micro-credits as people say them: ``20``, ``0.3``; nothing is rounded."""
    whole, part = divmod(abs(micro), 1_000_000)
    return f"{'-' if micro < 0 else ''}{whole}" + (f".{part:06}".rstrip("0") if part else "")


def in_time(seconds: int) -> str:
    """Return seconds as people say them, in the largest unit of which they are some: ``15 s``, ``90 min``, ``30 days``.

    Nothing is rounded: a limit that is said can be chosen.
    """
    for unit, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit and seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def in_bytes(size: int) -> str:
    """Return a size as people say it, in the largest unit of which there is one: ``1 B``, ``23.5 GiB``.

    It is never said as more than it is: what a limit is said to be can be chosen.
    """
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power:
            whole, tenths = divmod(10 * size // 1024**power, 10)
            return f"{whole}.{tenths} {unit}"
    return f"{size} B"


def in_cpus(milli: int) -> str:
    """Return thousandths of a processor as processors: ``2``, ``0.5``."""
    return f"{milli / 1000:g}"


class LearningChainError(Exception):
    """Root of every error that we raise on purpose."""


class MalformedBytes(LearningChainError):
    """Bytes from outside do not decode, or are not what we would have written ourselves."""

    def __init__(self, what: str, why: str) -> None:
        """Name the kind of object expected and what is wrong with the bytes."""
        super().__init__(f"malformed {what}: {why}")
        self.what = what
        self.why = why


class MalformedEntries(LearningChainError):
    """State entries from outside are no part of a state; whoever sent them is at fault."""

    def __init__(self, why: str = "keys have 33 bytes and come in order") -> None:
        """Say what entries look like."""
        super().__init__(f"malformed state entries: {why}")


class InvalidGenesis(LearningChainError):
    """A genesis document cannot begin a chain; its author is told what to change."""

    def __init__(self, fix: str) -> None:
        """Name what to change."""
        super().__init__(f"the genesis document is not valid: {fix}")
        self.fix = fix


class InvalidBlock(LearningChainError):
    """A block breaks a rule; whoever proposed it is at fault."""


class WrongPlace(InvalidBlock):
    """A header's field does not follow from the parent's state."""

    def __init__(self, field: str, expected: object, found: object) -> None:
        """Name the field and both values."""
        super().__init__(f"{field} is {found!r}, the parent's state demands {expected!r}")
        self.field = field
        self.expected = expected
        self.found = found


class TimeNotAfterParent(InvalidBlock):
    """Block times are strictly increasing."""

    def __init__(self, parent: int, found: int) -> None:
        """Both in milliseconds."""
        super().__init__(f"time {found} is not after the parent's, {parent}")
        self.parent = parent
        self.found = found


class BadReveal(InvalidBlock):
    """The reveal does not open the proposer's stored link, or the proposer has none."""

    def __init__(self, proposer: bytes) -> None:
        """Name the proposer."""
        super().__init__(f"the reveal does not open the link of {proposer.hex()}")
        self.proposer = proposer


class BlockTooLarge(InvalidBlock):
    """A block has more bytes or transactions than the parameters allow."""

    def __init__(self, what: str, limit: int, found: int) -> None:
        """Name what there is too much of."""
        super().__init__(f"{found} {what} exceed the limit of {limit}")
        self.what = what
        self.limit = limit
        self.found = found


class BadTransaction(InvalidBlock):
    """A block carries a transaction that is not valid where it stands."""

    def __init__(self, index: int, cause: "InvalidTransaction") -> None:
        """Name the transaction's place and what is wrong with it."""
        super().__init__(f"transaction {index}: {cause}")
        self.index = index
        self.cause = cause


class WrongRoot(InvalidBlock):
    """A root in the header is not what executing the block gives."""

    def __init__(self, field: str, expected: bytes, found: bytes) -> None:
        """Name the root, what we computed, and what the header says."""
        super().__init__(f"{field} is {found.hex()}, executing gives {expected.hex()}")
        self.field = field
        self.expected = expected
        self.found = found


class BadProof(LearningChainError):
    """A proof does not lead to the root it was asked for; whoever sent it is at fault."""

    def __init__(self, bucket: int) -> None:
        """Name the bucket of the state."""
        super().__init__(f"the proof of bucket {bucket} does not lead to the root")
        self.bucket = bucket


class TransactionRefused(LearningChainError):
    """A transaction goes no further; its sender is told why."""

    @property
    def code(self) -> str:
        """The stable name of the cause, for programs: the class's name."""
        return type(self).__name__


class AlreadyPending(TransactionRefused):
    """The mempool holds a transaction of this sender and nonce."""

    def __init__(self, nonce: int) -> None:
        """Name the nonce that is taken."""
        super().__init__(f"nonce {nonce} is pending already: wait for it, or use a higher one")
        self.nonce = nonce


class TooManyPending(TransactionRefused):
    """The sender has as many transactions in the mempool as an account may have."""

    def __init__(self, limit: int) -> None:
        """Name the limit."""
        super().__init__(f"{limit} transactions of this account are pending: wait for a block")
        self.limit = limit


class TransactionTooLarge(TransactionRefused):
    """No block takes a transaction of this size."""

    def __init__(self, limit: int, found: int) -> None:
        """Both in bytes."""
        super().__init__(f"{found} bytes exceed the limit of {limit}: make it smaller")
        self.limit = limit
        self.found = found


class MempoolFull(TransactionRefused):
    """There is no room, and everybody who is waiting has more bond or balance."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("the mempool is full: wait for a block, or hold more bond or balance")


class InvalidTransaction(TransactionRefused):
    """A transaction breaks a rule in the state it was applied to; its sender is told why."""


class InsufficientBalance(InvalidTransaction):
    """The sender does not own what it wants to give or lock."""

    def __init__(self, balance: int, needed: int) -> None:
        """Both in micro-credits."""
        super().__init__(
            f"{in_credits(balance)} credits do not cover {in_credits(needed)}: lower the amount"
        )
        self.balance = balance
        self.needed = needed


class InsufficientBond(InvalidTransaction):
    """The sender asks for more than it has bonded."""

    def __init__(self, bond: int, needed: int) -> None:
        """Both in micro-credits."""
        super().__init__(
            f"a bond of {in_credits(bond)} credits does not cover {in_credits(needed)}: lower the amount"
        )
        self.bond = bond
        self.needed = needed


class TooManyUnbondings(InvalidTransaction):
    """The sender has as many withdrawals under way as an account may have."""

    def __init__(self, limit: int) -> None:
        """Name the limit."""
        super().__init__(f"{limit} withdrawals are under way: wait until one has ended")
        self.limit = limit


class NothingToDo(InvalidTransaction):
    """The transaction would change nothing."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("the amount is zero and nothing else would change: give an amount")


class RecipientBanned(InvalidTransaction):
    """A banned key receives no credits."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("the recipient is banned: its credits would be lost")


class SenderBanned(InvalidTransaction):
    """A banned key sends nothing."""

    def __init__(self) -> None:
        """Say that it is for ever."""
        super().__init__("the sender is banned for ever: use another key")


class SenderSuspended(InvalidTransaction):
    """A refuted bidder may not move credits, post or bid until the job is over."""

    def __init__(self, job: bytes) -> None:
        """Name the job that must end first."""
        super().__init__(f"the sender is suspended until job {job.hex()} is over: wait for it")
        self.job = job


class WrongChain(InvalidTransaction):
    """The transaction was signed for another chain."""

    def __init__(self, expected: bytes, found: bytes) -> None:
        """Name both chains."""
        super().__init__(
            f"signed for chain {found.hex()[:12]}, this is {expected.hex()[:12]}: sign it again"
        )
        self.expected = expected
        self.found = found


class NonceTooLow(InvalidTransaction):
    """The sender's nonce was used already, or jumped over."""

    def __init__(self, last: int, found: int) -> None:
        """Name the account's last nonce."""
        super().__init__(f"nonce {found} is not above the account's last, {last}: use {last + 1}")
        self.last = last
        self.found = found


class Expired(InvalidTransaction):
    """The transaction was meant for an earlier block."""

    def __init__(self, valid_until: int, height: int) -> None:
        """Name the last height that its sender allowed."""
        super().__init__(f"valid until height {valid_until}, this is {height}: sign it again")
        self.valid_until = valid_until
        self.height = height


class TooFrequent(InvalidTransaction):
    """The sender's token bucket is empty."""

    def __init__(self, tokens: int, needed: int) -> None:
        """Both in thousandths of a token."""
        super().__init__(
            f"{tokens} of {needed} milli-tokens: wait a moment, or hold more balance or bond"
        )
        self.tokens = tokens
        self.needed = needed


class BadSignature(InvalidTransaction):
    """The signature is not the sender's over this transaction."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("the signature does not verify: sign the transaction's id")


class WrongEpoch(InvalidTransaction):
    """A wish to validate is meant for another epoch."""

    def __init__(self, epoch: int, found: int) -> None:
        """Name the epoch of the block, and the one that was meant."""
        super().__init__(f"meant for epoch {found}, this is {epoch}: sign it again")
        self.epoch = epoch
        self.found = found


class NothingBonded(InvalidTransaction):
    """Only who has something at stake may validate."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("the sender has no bond: bond credits, with a beacon link, first")


class AlreadyReady(InvalidTransaction):
    """The sender has asked to validate in the next epoch already."""

    def __init__(self) -> None:
        """Say that all is well."""
        super().__init__("the sender is ready for the next epoch already: just wait for it")


class NotEvidence(InvalidTransaction):
    """Two votes do not prove that their signer broke a rule."""

    def __init__(self, why: str) -> None:
        """Say what is missing."""
        super().__init__(f"the votes are no evidence: {why}")
        self.why = why
