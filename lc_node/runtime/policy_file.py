"""Which jobs this node takes: from config.toml, or as its owner has set it since, kept over restarts."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from lc_node.api import schema
from lc_node.chain.addresses import decode_address
from lc_node.chain.errors import LearningChainError, in_bytes, in_cpus, in_credits, in_time
from lc_node.chain.transactions import Resources
from lc_node.chain.types import ByteCount, MicroCredits, MillisSpan, Seconds
from lc_node.runtime.config import JOBS_AT_ONCE_MAX, WorkConfig
from lc_node.worker.hours import parse_hours
from lc_node.worker.policy import JobPolicy

_NUMBER_MAX: Final = 2**62


class BadPolicyFile(LearningChainError):
    """The kept policy is damaged."""

    def __init__(self, path: Path, why: str) -> None:
        """Name the file and what is wrong."""
        super().__init__(f"{path} is damaged ({why}); delete it to return to config.toml.")
        self.path = path


class BadPolicy(LearningChainError):
    """A policy cannot hold; the message names the term and what it may be."""


def policy_of(work: WorkConfig) -> schema.Policy:
    """Return the policy that config.toml describes."""
    offer = work.offer
    return schema.Policy(
        work=work.work,
        bounty_min=schema.MicroCredits(work.bounty_min),
        time_left_min_seconds=work.time_left_min_seconds,
        trial_seconds_max=work.trial_seconds_max,
        jobs_at_once=work.jobs_at_once,
        image_bytes_max=work.image_bytes_max,
        offered=schema.Resources(
            millicpus=offer.millicpus,
            memory_bytes=offer.memory_bytes,
            disk_bytes=offer.disk_bytes,
            gpus=offer.gpus,
        ),
        newcomers=False,  # until bids can carry stamps
        allow=tuple(map(schema.Address, work.allow)),
        deny=tuple(map(schema.Address, work.deny)),
        hours=work.hours,
        pause_on_battery=work.pause_on_battery,
        others_percent_max=work.others_percent_max,
    )


def read_policy(path: Path, work: WorkConfig) -> schema.Policy:
    """Return the policy that holds: the kept one, else config.toml's.

    Raises:
        BadPolicyFile: the kept one is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=schema.Policy)
    except FileNotFoundError:
        return policy_of(work)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadPolicyFile(path, str(error)) from error


def write_policy(path: Path, policy: schema.Policy) -> None:
    """Keep a policy over restarts."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(policy), indent=2))
    temporary.replace(path)


def validate_policy(policy: schema.Policy, machine: Resources) -> None:
    """Check that a policy's numbers can be meant, and that the machine has what it offers.

    Raises:
        BadPolicy: one cannot, or it has not.
    """
    offered = policy.offered
    terms: tuple[tuple[str, int, int, int, Callable[[int], str]], ...] = (
        ("bounty_min", 0, _NUMBER_MAX, policy.bounty_min, in_credits),
        ("time_left_min_seconds", 0, _NUMBER_MAX, policy.time_left_min_seconds, in_time),
        ("trial_seconds_max", 1, _NUMBER_MAX, policy.trial_seconds_max, in_time),
        ("jobs_at_once", 1, JOBS_AT_ONCE_MAX, policy.jobs_at_once, str),
        ("image_bytes_max", 1, _NUMBER_MAX, policy.image_bytes_max, in_bytes),
        ("cpus", 1, machine.millicpus, offered.millicpus, in_cpus),
        ("memory", 1, machine.memory_bytes, offered.memory_bytes, in_bytes),
        ("disk", 1, machine.disk_bytes, offered.disk_bytes, in_bytes),
        ("gpus", 0, machine.gpus, offered.gpus, str),
    )
    for name, least, most, value, show in terms:
        if not least <= value <= most:
            limits = f"{show(least)} to {show(most)}"
            raise BadPolicy(f"{name} is {show(value)}; on this machine it may be {limits}.")


def job_policy(policy: schema.Policy) -> JobPolicy:
    """Return the policy as the worker applies it.

    Raises:
        BadAddress: a submitter's is mistyped.
        BadHours: the hours are none.
    """
    offered = policy.offered
    return JobPolicy(
        bounty_min=MicroCredits(policy.bounty_min),
        time_left_min=MillisSpan(1000 * policy.time_left_min_seconds),
        trial_seconds_max=Seconds(policy.trial_seconds_max),
        image_bytes_max=ByteCount(policy.image_bytes_max),
        jobs_at_once_max=policy.jobs_at_once,
        offer=Resources(
            millicpus=offered.millicpus,
            memory_bytes=ByteCount(offered.memory_bytes),
            disk_bytes=ByteCount(offered.disk_bytes),
            gpus=offered.gpus,
        ),
        allow=frozenset(map(decode_address, policy.allow)),
        deny=frozenset(map(decode_address, policy.deny)),
        hours=tuple(map(parse_hours, policy.hours)),
        pauses_on_battery=policy.pause_on_battery,
        others_percent_max=policy.others_percent_max,
    )
