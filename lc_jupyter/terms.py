"""What a submitter decides: options as people write them, and the numbers that they mean."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, TypedDict

from lc_jupyter.errors import UserError
from lc_jupyter.settings import TERMS, get_term
from lc_jupyter.units import (
    Written,
    parse_bytes,
    parse_count,
    parse_credits,
    parse_millicpus,
    parse_ppm,
    parse_seconds,
)

TITLE_MAX: Final = 120
_LISTS: Final = ("include", "exclude", "with_distributions", "allow_secrets")
_CONTRACTS: Final = ("lc/1", "stdout/1")


class Options(TypedDict, total=False):
    """What a submitter may choose besides bounty and expiry; what is left out is as ``settings`` and ``DEFAULTS`` say."""

    name: str
    """What others see the job as."""
    trial_time: str
    """The longest a trial may take, such as ``10m``."""
    evaluate_time: str
    """The longest an evaluation may take; empty: five times what the check measured."""
    memory: str
    """Of a run, such as ``2G``."""
    cpus: Written
    """Of a run, such as ``1`` or ``0.5``."""
    gpus: Written
    """Of a run, such as ``1``; only nodes that offer so many take the job."""
    disk: str
    """Scratch space of a run."""
    model_bytes: str
    """The largest model."""
    tolerance: str
    """How far a re-evaluated loss may lie off, such as ``100ppm``."""
    model_format: str
    """``skops``, ``npz``, ``safetensors``, ``onnx``, ``raw`` or ``pickle``; empty: guessed."""
    include: Sequence[str | Path]
    """Files and folders that the job reads."""
    exclude: Sequence[str]
    """Patterns left out of ``include``."""
    with_distributions: Sequence[str]
    """Distributions to add to those that the code is seen to need."""
    all_distributions: bool
    """Whether to take every installed distribution."""
    allow_secrets: Sequence[str]
    """Names that may go although they look secret."""
    check_time: str
    """How long to wait for the first model in the check."""
    check: bool
    """Whether to run the job here once before it is posted."""


DEFAULTS: Final = Options(
    name="untitled",
    trial_time="10m",
    evaluate_time="",
    memory="2G",
    cpus="1",
    gpus="0",
    disk="1G",
    model_bytes="100M",
    tolerance="100ppm",
    model_format="",
    include=(),
    exclude=(),
    with_distributions=(),
    all_distributions=False,
    allow_secrets=(),
    check_time="30s",
    check=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the submitter decides of the market; amounts in micro-credits, sizes in bytes."""

    title: str
    bounty: int
    expiry_seconds: int
    trial_seconds: int
    evaluate_seconds: int | None
    """None: as the check measures."""
    memory_bytes: int
    disk_bytes: int
    millicpus: int
    gpus: int
    model_bytes_max: int
    tolerance_ppm: int
    check_seconds: int
    checks: bool


def with_defaults(options: Options) -> Options:
    """Return options with those left out as they are set, by configuration or environment, or built in.

    Raises:
        UserError: there is no such option, one that lists things has no list, or the environment says something
            that cannot be meant.
    """
    for name in options:
        if name not in DEFAULTS:
            message = f"There is no option {name}{did_you_mean(name, DEFAULTS)}"
            raise UserError(message)
    given = {
        name: _listed(name, value) if name in _LISTS else value
        for name, value in options.items()
        if value is not None
    }
    is_set = {name: get_term(name) for name in TERMS if name in DEFAULTS and name not in given}
    found = {name: text for name, text in is_set.items() if text}
    return Options(**{**DEFAULTS, **found, **given})  # type: ignore[typeddict-item]  # the names were checked


def terms_of(bounty: Written, expires: str, options: Options) -> Terms:
    """Return the numbers that complete options mean.

    Raises:
        Malformed: one of them cannot be read.
    """
    evaluate_time = options["evaluate_time"]
    return Terms(
        title=_title(options["name"]),
        bounty=parse_credits(bounty, "--bounty"),
        expiry_seconds=parse_seconds(expires, "--expires"),
        trial_seconds=parse_seconds(options["trial_time"], "--trial-time"),
        evaluate_seconds=(
            parse_seconds(evaluate_time, "--evaluate-time") if evaluate_time else None
        ),
        memory_bytes=parse_bytes(options["memory"], "--memory"),
        disk_bytes=parse_bytes(options["disk"], "--disk"),
        millicpus=parse_millicpus(options["cpus"], "--cpus"),
        gpus=parse_count(options["gpus"], "--gpus"),
        model_bytes_max=parse_bytes(options["model_bytes"], "--model-bytes"),
        tolerance_ppm=parse_ppm(options["tolerance"], "--tolerance"),
        check_seconds=parse_seconds(options["check_time"], "--check-time"),
        checks=options["check"],
    )


def plain_contract(contract: str = "stdout/1", *, negate: bool) -> str:
    """Return a contract as a job says it.

    Raises:
        UserError: there is no such contract, or nothing to negate.
    """
    if contract not in _CONTRACTS:
        message = f"There is no contract {contract}{did_you_mean(contract, _CONTRACTS)}"
        raise UserError(message)
    if negate and contract != _CONTRACTS[-1]:
        message = "negate goes with contract stdout/1: under lc/1 a program reports losses itself."
        raise UserError(message)
    return f"{contract}:negate" if negate else contract


def did_you_mean(written: str, known: Collection[str]) -> str:
    """Return a suggestion to append to a message; empty where nothing comes near."""
    close = get_close_matches(written, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _listed(name: str, value: object) -> tuple[object, ...]:
    """Return what an option lists; one text is a list of one, and not one of its letters."""
    if isinstance(value, str | Path):
        return (value,)
    if not isinstance(value, Iterable):
        message = f"{name}={value} is no list; write for example {name}=['NAME']"
        raise UserError(message)
    return tuple(value)


def _title(name: object) -> str:
    if (
        not isinstance(name, str)
        or not name.strip()
        or len(name) > TITLE_MAX
        or not name.isprintable()
    ):
        message = (
            f"--name takes one line of 1 to {TITLE_MAX} characters, for example --name digits"
        )
        raise UserError(message)
    return name
