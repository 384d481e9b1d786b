"""Which jobs may be posted at all."""

from typing import Final

from lc_node.chain.contracts import Contract
from lc_node.chain.errors_market import (
    BountyTooSmall,
    ContractUnknown,
    ExpiryOutOfRange,
    ImageNowhere,
    LimitOutOfRange,
    OptionUnsupported,
)
from lc_node.chain.params import ProtocolParams
from lc_node.chain.transactions import ImageReference, JobSpec
from lc_node.chain.types import Millis, MillisSpan

CONTRACTS: Final = tuple(str(contract) for contract in Contract)


def validate_spec(params: ProtocolParams, spec: JobSpec, time: Millis) -> None:
    """Check everything of a spec but whether its submitter can pay.

    Raises:
        OptionUnsupported, BountyTooSmall, ContractUnknown, ImageNowhere, LimitOutOfRange,
        ExpiryOutOfRange: in this order.
    """
    _validate_options(spec)
    if spec.bounty < params.bounty_min:
        raise BountyTooSmall(params.bounty_min, spec.bounty)
    if spec.contract not in CONTRACTS:
        raise ContractUnknown(CONTRACTS, spec.contract)
    if not _is_somewhere(spec.image):
        raise ImageNowhere
    _validate_numbers(params, spec)
    earliest = Millis(time + params.expiry_min_ms)
    validate_expiry(spec.expiry, earliest, time, params.expiry_max_ms)


def validate_expiry(expiry: Millis, earliest: Millis, time: Millis, longest: MillisSpan) -> None:
    """Check that an expiry is neither before a time nor too far after now.

    Raises:
        ExpiryOutOfRange: it is.
    """
    latest = time + longest
    if not earliest <= expiry <= latest:
        raise ExpiryOutOfRange(earliest, latest, expiry)


def _validate_options(spec: JobSpec) -> None:
    """Refuse options that have their places in the spec, but no rules yet."""
    options = {
        "open_to_newcomers": spec.open_to_newcomers,
        "hidden_root": bool(spec.hidden_root),
        "private": spec.private,
    }
    for name, is_wanted in options.items():
        if is_wanted:
            raise OptionUnsupported(name)


def _is_somewhere(image: ImageReference) -> bool:
    """Return whether an image is said to be found at all."""
    return image.on_graph or bool(image.references)


def _validate_numbers(params: ProtocolParams, spec: JobSpec) -> None:
    """Check that each number lies in the range in which sums of them stay small."""
    tolerance, least = spec.tolerance, params.tolerance_min
    seconds, size = params.run_seconds_max, params.artifact_bytes_max
    numbers = (
        ("trial_seconds", 1, seconds, spec.trial_seconds),
        ("evaluate_seconds", 1, seconds, spec.evaluate_seconds),
        ("model_bytes_max", 1, size, spec.model_bytes_max),
        ("image.total_bytes", 1, size, spec.image.total_bytes),
        ("tolerance.absolute", least.absolute, _ABSOLUTE_MAX, tolerance.absolute),
        ("tolerance.relative", least.relative, _RELATIVE_MAX, tolerance.relative),
    )
    for field, minimum, maximum, found in numbers:
        if not minimum <= found <= maximum:
            raise LimitOutOfRange(field, minimum, maximum, found)


_ABSOLUTE_MAX: Final = 2**62
_RELATIVE_MAX: Final = 1_000_000
"""A tolerance of the loss itself."""
