"""Which jobs the own node takes: shown, and changed in what is named."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from lc_jupyter.display import Shown, facts
from lc_jupyter.units import (
    parse_bytes,
    parse_count,
    parse_credits,
    parse_millicpus,
    parse_seconds,
    show_bytes,
    show_credits,
    show_seconds,
)
from lc_node.api.schema import Policy


def change_policy(policy: Policy, wished: Mapping[str, str | None]) -> Policy:
    """Return a policy with what is wished, by the names of ``%lc_policy``'s options.

    Raises:
        UserError: a value is of another form.
    """
    said = {name: value for name, value in wished.items() if value is not None}
    terms = {
        field: parse(said[name], _option(name)) for name, field, parse in _TERMS if name in said
    }
    offer = {
        field: parse(said[name], _option(name)) for name, field, parse in _OFFER if name in said
    }
    return replace(policy, offered=replace(policy.offered, **offer), **terms)


def show_policy(policy: Policy) -> Shown:
    """Return all terms."""
    offered = policy.offered
    return facts(
        "Jobs that this node takes",
        (
            ("takes jobs", "yes" if policy.work else "no"),
            ("bounty at least", f"{show_credits(policy.bounty_min)} credits"),
            ("time left at least", show_seconds(policy.time_left_min_seconds)),
            ("trials at most", show_seconds(policy.trial_seconds_max)),
            ("image at most", show_bytes(policy.image_bytes_max)),
            ("jobs at once", str(policy.jobs_at_once)),
            ("processors", f"{offered.millicpus / 1000:g}"),
            ("memory", show_bytes(offered.memory_bytes)),
            ("disk", show_bytes(offered.disk_bytes)),
            ("GPUs", str(offered.gpus)),
            ("only from", ", ".join(policy.allow) or "everybody"),
            ("never from", ", ".join(policy.deny) or "nobody"),
            ("hours", ", ".join(policy.hours) or "any"),
        ),
    )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _parse_switch(text: str, _option: str) -> bool:
    return text == "on"


_Parse = Callable[[str, str], Any]
_TERMS: Final[tuple[tuple[str, str, _Parse], ...]] = (
    ("work", "work", _parse_switch),
    ("bounty_min", "bounty_min", parse_credits),
    ("time_left_min", "time_left_min_seconds", parse_seconds),
    ("trial_time_max", "trial_seconds_max", parse_seconds),
    ("image_bytes_max", "image_bytes_max", parse_bytes),
    ("jobs_at_once", "jobs_at_once", parse_count),
)
_OFFER: Final[tuple[tuple[str, str, _Parse], ...]] = (
    ("cpus", "millicpus", parse_millicpus),
    ("memory", "memory_bytes", parse_bytes),
    ("disk", "disk_bytes", parse_bytes),
    ("gpus", "gpus", parse_count),
)
"""Option, field, and how its value is read."""
