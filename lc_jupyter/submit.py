"""From functions in a kernel to a posted job: package, price, send, check, post."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from lc_jupyter.display import Shown, paragraph, stack
from lc_jupyter.errors import UserError
from lc_jupyter.packaging.image import BuiltImage, build_image
from lc_jupyter.packaging.snapshot import SnapshotRequest
from lc_jupyter.stopwatch import Stopwatch
from lc_jupyter.stories import show_check, show_image, show_price
from lc_jupyter.units import show_credits, show_seconds
from lc_node.api.calls import Check, GetPrice, MissingBlobs, Submit
from lc_node.api.client import Client
from lc_node.api.schema import Digest, MicroCredits, ModelFormat, NanoLoss, Resources
from lc_node.api.schema_jobs import (
    CheckProblem,
    CheckReport,
    ImageChoice,
    JobRequest,
    Price,
    Submitted,
    Tolerance,
)
from lc_node.api.uploading import put_blob

Say = Callable[[Shown], None]

EVALUATE_SECONDS_MIN: Final = 10
_NO_IMAGE: Final = ImageChoice(manifest=Digest("0" * 64), total_bytes=1)
DISCLOSURE: Final = (
    "Every node that takes this job can read its code and its data, the validation data included."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the submitter decides; amounts in micro-credits, sizes in bytes."""

    title: str
    bounty: int
    expiry_seconds: int
    trial_seconds: int = 600
    memory_bytes: int = 2 * 1024**3
    disk_bytes: int = 1024**3
    millicpus: int = 1000
    gpus: int = 0
    model_bytes_max: int = 100 * 1024**2
    tolerance_ppm: int = 100
    check_seconds: int = 30
    checks: bool = True
    posts: bool = True
    """False: stop after the check (a dry run)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A job that is final, and how long each step to it took."""

    submitted: Submitted
    seconds: Mapping[str, float]


def submit(client: Client, snapshot: SnapshotRequest, terms: Terms, say: Say) -> Posted | None:
    """Do all of it; None after a dry run. Every step is told through ``say``.

    Raises:
        UserError: something has to be changed first; nothing was posted.
        ApiError: the node refused, by name; nothing was posted.
    """
    watch = Stopwatch()
    draft = _request(snapshot, terms, _NO_IMAGE)
    validate_price(client.call(GetPrice(request=draft)))
    with tempfile.TemporaryDirectory(prefix="lc-image-") as folder:
        image = build_image(snapshot, Path(folder))
        watch.lap("packaging")
        choice = ImageChoice(manifest=_hex(image.digest), total_bytes=image.total_bytes)
        request = replace(draft, image=choice)
        price = client.call(GetPrice(request=request))
        sent = send_image(client, image)
        say(stack(show_image(image, sent), show_price(price), paragraph(DISCLOSURE, "dim")))
        validate_price(price)
    watch.lap("sending")
    request = _checked(client, request, terms, say)
    watch.lap("check")
    if not terms.posts:
        say(paragraph("Dry run: nothing was posted."))
        return None
    submitted = client.call(Submit(request=request))
    watch.lap("posting")
    left = show_seconds((submitted.expiry - submitted.time) // 1000)
    say(paragraph(f"Posted as job {submitted.job[:16]}; bidding ends in {left}.", "good"))
    return Posted(submitted=submitted, seconds=watch.seconds)


def validate_price(price: Price) -> None:
    """Check that the balance suffices.

    Raises:
        UserError: it does not.
    """
    if price.balance_after < 0:
        message = (
            f"Not enough credits: bounty {show_credits(price.bounty)} + fee "
            f"{show_credits(price.fee)} exceed the balance of {show_credits(price.balance)}. "
            "Lower --bounty, or let `lc-node run` earn some by training for others."
        )
        raise UserError(message)


def send_image(client: Client, image: BuiltImage) -> int:
    """Put the blobs that the own node lacks into it; return how many bytes that were."""
    paths = {_hex(name): path for name, path in image.blobs.items()}
    missing = client.call(MissingBlobs(digests=tuple(paths)))
    sent = 0
    for digest in missing:
        size = paths[digest].stat().st_size
        with paths[digest].open("rb") as source:
            put_blob(client, source, digest=digest, size=size)
        sent += size
    return sent


def _checked(client: Client, request: JobRequest, terms: Terms, say: Say) -> JobRequest:
    """Run the node's check and return the request with the measured evaluation time."""
    if not terms.checks:
        return request
    report = client.call(Check(request=request, seconds=terms.check_seconds))
    say(show_check(report))
    _validate_check(report)
    seconds = max(EVALUATE_SECONDS_MIN, report.evaluate_seconds)
    return replace(request, evaluate_seconds=seconds)


def _validate_check(report: CheckReport) -> None:
    if report.problem is CheckProblem.NONE:
        return
    is_slow = report.problem is CheckProblem.NO_REPORT
    hint = " Give it longer with --check-time 2m, or post it unchecked with --no-check."
    message = report.text + (hint if is_slow else "")
    if report.log_tail:
        message += f"\nThe job's last words:\n{report.log_tail}"
    raise UserError(message)


def _request(snapshot: SnapshotRequest, terms: Terms, image: ImageChoice) -> JobRequest:
    return JobRequest(
        title=terms.title,
        image=image,
        bounty=MicroCredits(terms.bounty),
        expiry_seconds=terms.expiry_seconds,
        model_format=ModelFormat(snapshot.model_format),
        resources=Resources(
            millicpus=terms.millicpus,
            memory_bytes=terms.memory_bytes,
            disk_bytes=terms.disk_bytes,
            gpus=terms.gpus,
        ),
        trial_seconds=terms.trial_seconds,
        evaluate_seconds=EVALUATE_SECONDS_MIN,
        model_bytes_max=terms.model_bytes_max,
        tolerance=Tolerance(absolute=NanoLoss(1_000), relative_ppm=terms.tolerance_ppm),
    )


def _hex(name: str) -> Digest:
    return Digest(name.removeprefix("sha256:"))
