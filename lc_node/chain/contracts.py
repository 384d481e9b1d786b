"""The contracts between a node and an image, and what a result under them is worth (docs/CONTRACT.md)."""

from enum import StrEnum

from lc_node.chain.transactions import JobSpec


class Contract(StrEnum):
    """How a job's image is run; a spec says it in these very words."""

    LC_1 = "lc/1"
    """The image speaks with the node."""
    STDOUT_1 = "stdout/1"
    """The image knows nothing of us: the last line that it prints is the loss."""
    STDOUT_1_NEGATE = "stdout/1:negate"
    """The same, and the last line is a score: the loss is its negative."""


def can_model_execute(spec: JobSpec) -> bool:
    """Return whether a hostile model could decide what its own evaluation prints.

    Either its format runs code as it is read, or its reader never promised to guard itself: an image that knows
    nothing of us reads its own file in its own way, whatever the spec calls the format.
    """
    return spec.model_format.can_execute or spec.contract != Contract.LC_1
