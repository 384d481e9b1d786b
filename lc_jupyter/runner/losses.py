"""What ``evaluate`` may return: one loss, or up to 64 of groups, whose mean is the loss."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

LOSSES_MAX: Final = 64


def to_losses(returned: Any) -> list[float]:
    """Return the losses as a list.

    Raises:
        TypeError: no number and no sequence of numbers.
        ValueError: none, or more than 64.
    """
    many = isinstance(returned, Iterable) and getattr(returned, "ndim", 1) != 0
    losses = [float(loss) for loss in returned] if many else [float(returned)]
    if not 1 <= len(losses) <= LOSSES_MAX:
        raise ValueError(
            f"evaluate returned {len(losses)} losses, a job has 1 to {LOSSES_MAX}:"
            " average them in groups"
        )
    return losses


def mean_loss(losses: Sequence[float]) -> float:
    """Return the mean."""
    return sum(losses) / len(losses)
