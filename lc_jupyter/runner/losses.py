"""What ``evaluate`` may return: one loss, or up to 64 of groups, whose mean is the loss."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

LOSSES_MAX: Final = 64
_WANTED: Final = f"return a number, or a list of 1 to {LOSSES_MAX} numbers"


def to_losses(returned: Any) -> list[float]:
    """Return the losses as a list.

    Raises:
        TypeError: no number and no sequence of numbers.
        ValueError: none, or more than 64.
    """
    many = isinstance(returned, Iterable) and getattr(returned, "ndim", 1) != 0
    if isinstance(returned, str | bytes | dict):
        raise TypeError(f"evaluate returned {_kind(returned)}: {_WANTED}")
    losses = [_to_loss(loss) for loss in returned] if many else [_to_loss(returned)]
    if not 1 <= len(losses) <= LOSSES_MAX:
        raise ValueError(
            f"evaluate returned {len(losses)} losses, a job has 1 to {LOSSES_MAX}:"
            " average them in groups"
        )
    return losses


def mean_loss(losses: Sequence[float]) -> float:
    """Return the mean."""
    return sum(losses) / len(losses)


def not_finite(what: str, losses: Sequence[float]) -> str:
    """Return how to say that something gave losses of which one is no finite number."""
    wrong = next(loss for loss in losses if not math.isfinite(loss))
    return f"{what} gave {wrong} as a loss: it must be a finite number, the lower the better"


def _to_loss(value: Any) -> float:
    shape = getattr(value, "shape", ())
    if isinstance(value, str | bytes) or shape not in ((), (1,)):
        raise TypeError(f"evaluate returned {_kind(value)} among its losses: {_WANTED}")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"evaluate returned {_kind(value)}: {_WANTED}") from None


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    shape = getattr(value, "shape", None)
    name = type(value).__name__
    return f"a {name} of shape {tuple(shape)}" if shape else f"a {name}"
