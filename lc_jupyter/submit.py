"""From functions in a kernel to a posted job: package, price, send, check, post."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from msgspec.structs import replace

from lc_jupyter.display import Shown, paragraph, stack
from lc_jupyter.errors import UserError
from lc_jupyter.functions import Function, JobFunctions, validate_format, validate_functions
from lc_jupyter.live import Live
from lc_jupyter.packaging.gathering import SnapshotRequest
from lc_jupyter.packaging.image import BuiltImage, build_image, build_planned
from lc_jupyter.packaging.program import plan_program
from lc_jupyter.proposals import LARGE_BYTES, show_check, show_copies, show_image, show_price
from lc_jupyter.stopwatch import Stopwatch
from lc_jupyter.terms import Options, Terms
from lc_jupyter.units import short_job, show_bytes, show_credits, show_seconds
from lc_node.api.calls import (
    Call,
    Check,
    GetImages,
    GetPrice,
    GetStatus,
    MissingBlobs,
    Submit,
)
from lc_node.api.client import Client, Refused
from lc_node.api.schema import Digest, MicroCredits, ModelFormat, NanoLoss, Resources
from lc_node.api.schema_images import ImageView
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

EVALUATE_SECONDS_MIN: Final = 10
EVALUATE_SECONDS_UNCHECKED: Final = 60
"""Given to an evaluation that nobody has timed."""

A = TypeVar("A")

TOLERANCE_ABSOLUTE: Final = NanoLoss(1_000)
DISCLOSURE: Final = (
    "Every node that takes this job can read its code and its data, the validation data included."
)
_CHECK_HINTS: Final = {
    CheckProblem.NO_REPORT: " Or give it longer with --check-time 2m, or post it unchecked with --no-check.",
    CheckProblem.OUT_OF_MEMORY: " Give it more, such as --memory 4G.",
}
_OPTIONS: Final = {
    "a bounty": "--bounty",
    "the expiry": "--expires",
    "trial_seconds": "--trial-time",
    "evaluate_seconds": "--evaluate-time",
    "model_bytes_max": "--model-bytes",
    "tolerance.relative": "--tolerance",
}
"""How a rule's refusal begins, and the option that was refused."""

_DIGITS_MIN: Final = 6
_NO_IMAGE: Final = ImageChoice(manifest=Digest("0" * 64), total_bytes=1)


class CellOptions(Options, total=False):
    """The options of a job that is made of functions."""

    predict: Function
    """Called with a model and data, for ``Job.predict``; ``model.predict(data)`` without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainChoice:
    """What is to be run as it is: a program of this machine, or an image of the own node."""

    what: str
    """The program's path, or the image's name or digest."""
    contract: str
    model_format: str
    data: Sequence[str | Path] = ()
    with_distributions: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A job that could be posted as it is, and how long each step to it took."""

    request: JobRequest
    seconds: Mapping[str, float]


def snapshot_of(functions: JobFunctions, options: Options) -> SnapshotRequest:
    """Return what to package.

    Raises:
        UserError: a function cannot be called as a job calls it, or the format is unknown.
    """
    validate_functions(functions)
    model_format = options["model_format"] or functions.guess_format()
    validate_format(model_format)
    return SnapshotRequest(
        train=functions.train,
        evaluate=functions.evaluate,
        save=functions.save,
        load=functions.load,
        predict=functions.predict,
        model_format=model_format,
        cell=functions.cell,
        new_modules=functions.new_modules,
        with_distributions=tuple(options["with_distributions"]),
        everything=options["all_distributions"],
        include=tuple(Path(path) for path in options["include"]),
        exclude=tuple(options["exclude"]),
        allowed_secrets=frozenset(options["allow_secrets"]),
    )


def validate_terms(client: Client, terms: Terms, model_format: str) -> None:
    """Ask the node for what can be known before there is an image.

    Raises:
        UserError: the balance does not suffice.
        ApiError: a rule refuses the terms, by name.
    """
    _validate_price(_naming_options(client, GetPrice(request=_request(terms, model_format))))


def propose(client: Client, snapshot: SnapshotRequest, terms: Terms, live: Live) -> Proposal:
    """Do all but the posting; every step is told.

    Raises:
        UserError: something has to be changed first.
        ApiError: the node refused, by name.
    """
    draft = _request(terms, snapshot.model_format)
    return _propose(client, lambda folder: build_image(snapshot, folder), draft, terms, live)


def propose_program(client: Client, choice: PlainChoice, terms: Terms, live: Live) -> Proposal:
    """Do all but the posting for a program that is run as it lies here, under contract stdout/1.

    Raises:
        UserError: something has to be changed first.
        ApiError: the node refused, by name.
    """

    def build(folder: Path) -> BuiltImage:
        plan = plan_program(
            Path(choice.what),
            [Path(path) for path in choice.data],
            with_distributions=choice.with_distributions,
        )
        return build_planned(plan, folder)

    return _propose(client, build, _plain_request(terms, choice), terms, live)


def propose_image(client: Client, choice: PlainChoice, terms: Terms, live: Live) -> Proposal:
    """Do all but the posting for an image that the own node has, by its name or digest there.

    Raises:
        UserError: something has to be changed first.
        ApiError: the node refused, by name.
    """
    watch = Stopwatch()
    image = _find_image(client, choice.what)
    manifest = ImageChoice(manifest=image.image, total_bytes=image.total_bytes)
    request = replace(_plain_request(terms, choice), image=manifest)
    price = client.call(GetPrice(request=request))
    live.keep(stack(show_price(price), paragraph(DISCLOSURE, "dim")))
    _validate_price(price)
    request = _checked(client, request, terms, live)
    watch.lap("check")
    return Proposal(request=request, seconds=watch.seconds)


def _propose(
    client: Client,
    build: Callable[[Path], BuiltImage],
    draft: JobRequest,
    terms: Terms,
    live: Live,
) -> Proposal:
    watch = Stopwatch()
    with tempfile.TemporaryDirectory(prefix="lc-image-") as folder:
        _step(live, "Packaging what the job needs …")
        image = build(Path(folder))
        watch.lap("packaging")
        choice = ImageChoice(manifest=_hex(image.digest), total_bytes=image.total_bytes)
        request = replace(draft, image=choice)
        price = client.call(GetPrice(request=request))
        sent = send_image(client, image, live)
        live.keep(_told(client, image, sent, price))
        _validate_price(price)
    watch.lap("sending")
    request = _checked(client, request, terms, live)
    watch.lap("check")
    return Proposal(request=request, seconds=watch.seconds)


def post(client: Client, proposal: Proposal, live: Live) -> Submitted:
    """Post a job, and return when it is final.

    Raises:
        UserError: interrupted; whether it was posted is not known.
        ApiError: the node refused, by name; nothing was posted.
    """
    _step(live, "Posting …")
    try:
        submitted = _naming_options(client, Submit(request=proposal.request))
    except KeyboardInterrupt:
        message = "Interrupted while it was being posted: %lc_jobs --mine shows if it was."
        raise UserError(message) from None
    left = show_seconds((submitted.expiry - submitted.time) // 1000)
    text = f"Posted as job {short_job(submitted.job)}; bidding ends in {left}."
    live.keep(paragraph(text, "good"))
    return submitted


def send_image(client: Client, image: BuiltImage, live: Live) -> int:
    """Put the blobs that the own node lacks into it; return how many bytes that were."""
    paths = {_hex(name): path for name, path in image.blobs.items()}
    missing = client.call(MissingBlobs(digests=tuple(paths)))
    sizes = {digest: paths[digest].stat().st_size for digest in missing}
    total, before = sum(sizes.values()), 0

    def show_progress(held: int) -> None:
        text = f"Sending {show_bytes(before + held)} of {show_bytes(total)} to the node …"
        live.show_progress(paragraph(text, "dim"))

    for digest, size in sizes.items():
        with paths[digest].open("rb") as source:
            put_blob(client, source, digest=digest, size=size, on_progress=show_progress)
        before += size
    return total


def _checked(client: Client, request: JobRequest, terms: Terms, live: Live) -> JobRequest:
    """Run the node's check and return the request with the time that an evaluation may take."""
    given = terms.evaluate_seconds
    if not terms.checks:
        return replace(request, evaluate_seconds=given or EVALUATE_SECONDS_UNCHECKED)
    patience = show_seconds(terms.check_seconds)
    _step(live, f"Checking here: training until the first model, {patience} at most …")
    report = client.call(Check(request=request, seconds=terms.check_seconds))
    live.keep(show_check(report))
    _validate_check(report)
    measured = max(EVALUATE_SECONDS_MIN, report.evaluate_seconds)
    return replace(request, evaluate_seconds=given or measured)


def _naming_options(client: Client, call: Call[A]) -> A:
    """Ask the node; a refusal of a term names its option."""
    try:
        return client.call(call)
    except Refused as refusal:
        options = (name for words, name in _OPTIONS.items() if str(refusal).startswith(words))
        option = next(options, "")
        message = f"{refusal} ({option})" if option else str(refusal)
        raise Refused(refusal.code, message, refusal.fields) from None


def _validate_price(price: Price) -> None:
    if price.balance_after < 0:
        message = (
            f"Not enough credits: bounty {show_credits(price.bounty)} + fee "
            f"{show_credits(price.fee)} exceed the balance of {show_credits(price.balance)}. "
            "Lower --bounty, or let `lc-node run` earn some by training for others."
        )
        raise UserError(message)


def _validate_check(report: CheckReport) -> None:
    if report.problem is CheckProblem.NONE:
        return
    raise UserError(report.text + _CHECK_HINTS.get(report.problem, ""))


def _request(terms: Terms, model_format: str) -> JobRequest:
    return JobRequest(
        title=terms.title,
        image=_NO_IMAGE,
        bounty=MicroCredits(terms.bounty),
        expiry_seconds=terms.expiry_seconds,
        model_format=ModelFormat(model_format),
        resources=Resources(
            millicpus=terms.millicpus,
            memory_bytes=terms.memory_bytes,
            disk_bytes=terms.disk_bytes,
            gpus=terms.gpus,
        ),
        trial_seconds=terms.trial_seconds,
        evaluate_seconds=terms.evaluate_seconds or EVALUATE_SECONDS_MIN,
        model_bytes_max=terms.model_bytes_max,
        tolerance=Tolerance(absolute=TOLERANCE_ABSOLUTE, relative_ppm=terms.tolerance_ppm),
    )


def _plain_request(terms: Terms, choice: PlainChoice) -> JobRequest:
    return replace(_request(terms, choice.model_format), contract=choice.contract)


def _find_image(client: Client, text: str) -> ImageView:
    """Return the image of a name or of a digest, or the beginning of one.

    Raises:
        UserError: the own node has none such, or several.
    """
    images, digits = client.call(GetImages()), text.removeprefix("sha256:")
    found = [one for one in images if text in one.names] or [
        one for one in images if len(digits) >= _DIGITS_MIN and one.image.startswith(digits)
    ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(sorted(name for one in images for name in one.names)) or "none with a name"
    message = (
        f"No image {text!r} in your node; it has {names}. `lc-node image load FILE` brings one."
    )
    if found:
        message = f"Several images begin with {text!r}: write more digits."
    raise UserError(message)


def _told(client: Client, image: BuiltImage, sent: int, price: Price) -> Shown:
    parts = [show_image(image, sent)]
    if image.total_bytes > LARGE_BYTES:
        parts.append(show_copies(image.total_bytes, client.call(GetStatus()).peers))
    return stack(*parts, show_price(price), paragraph(DISCLOSURE, "dim"))


def _step(live: Live, text: str) -> None:
    live.show(paragraph(text, "dim"), text)


def _hex(name: str) -> Digest:
    return Digest(name.removeprefix("sha256:"))
