"""What can go wrong for a light client, sorted by who can act; the messages name the fix."""

from lc_node.api.errors import ApiError


class NotProved(ApiError):
    """What a server said is not proved, or proves that somebody lied; ``__cause__`` says more."""


class NoServer(ApiError):
    """None of the servers answers; each is named with the reason."""

    def __init__(self, reasons: str) -> None:
        """Say what was tried."""
        super().__init__(
            "NoServer",
            f"No node could be asked: {reasons}. Check that one of them runs and is reached from here "
            "(`lc-node status` on its machine), or name another one.",
        )


class BadServer(ApiError):
    """Text that should name a node does not."""

    def __init__(self, text: str, why: str) -> None:
        """Name the text and what is wrong with it."""
        super().__init__(
            "BadServer",
            f"{text!r} does not name a node: {why}. Write tcp://KEY@HOST:PORT, where KEY is the "
            "transport key that `lc-node key show` prints on that machine, or give a join line.",
        )


class NoBeginning(ApiError):
    """Nothing is known that proofs could begin with."""

    def __init__(self, why: str) -> None:
        """Say what is lacking."""
        super().__init__(
            "NoBeginning",
            f"{why}: a proof needs something that is trusted already. Name the graph's genesis file "
            "(--genesis FILE), or a checkpoint from somebody whom you trust (--checkpoint FILE).",
        )


class UnknownJob(ApiError):
    """The state proves that it holds no such job."""

    def __init__(self, job: str, height: int) -> None:
        """Name the job, and where it was looked for."""
        super().__init__(
            "UnknownJob",
            f"It is proved that the state at height {height} holds no job {job}: it was never posted, or "
            "was forgotten a while after its end (`history_kept_ms`). A node that was there still has "
            "its receipts: `lc-node job show`, or `lc-node audit` on its machine.",
        )


class NotSettled(ApiError):
    """A job has no result, or none yet."""

    def __init__(self, job: str, phase: str) -> None:
        """Name the job and where it stands."""
        super().__init__("NotSettled", f"Job {job} is {phase}: it has no result.")
