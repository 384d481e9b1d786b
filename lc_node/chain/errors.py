"""The protocol's refusals, one class a cause, sorted by whose fault they are."""


class LearningChainError(Exception):
    """Root of every error that we raise on purpose."""


class MalformedBytes(LearningChainError):
    """Bytes from outside do not decode, or are not what we would have written ourselves."""

    def __init__(self, what: str, why: str) -> None:
        """Name the kind of object expected and what is wrong with the bytes."""
        super().__init__(f"malformed {what}: {why}")
        self.what = what
        self.why = why


class InvalidBlock(LearningChainError):
    """A block breaks a rule; whoever proposed it is at fault."""


class InvalidTransaction(LearningChainError):
    """A transaction breaks a rule in the state it was applied to; its sender is told why."""

    @property
    def code(self) -> str:
        """The stable name of the cause, for programs: the class's name."""
        return type(self).__name__
