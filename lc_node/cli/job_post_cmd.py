"""``lc-node job post``: a job whose image exists already, wherever it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from lc_node.api import calls
from lc_node.api.client import Client, UnknownThing
from lc_node.api.schema import ModelFormat, Resources
from lc_node.api.schema_images import ImageView
from lc_node.api.schema_jobs import (
    REFERENCES_MAX,
    CheckProblem,
    CheckReport,
    ImageChoice,
    JobRequest,
    Price,
    Tolerance,
)
from lc_node.cli.contracts import CONTRACTS, NEGATE_HELP, contract_of
from lc_node.cli.images import find_image, is_file, is_registry_name, put_image
from lc_node.cli.job_cmd import job
from lc_node.cli.options import connect, home_option, json_option
from lc_node.cli.output import print_json, printable
from lc_node.cli.wording import (
    CREDITS,
    SIZE,
    SPAN,
    bytes_text,
    credits_text,
    loss_text,
    short_id,
    span_text,
)
from lc_node.oci.references import BadReference, parse_reference
from lc_node.runtime.image_files import opened_image

EVALUATE_SECONDS_UNCHECKED: Final = 60
"""Given to an evaluation that nobody has timed."""

_FORMATS: Final = [each.value for each in ModelFormat]
_MILLI: Final = 1000


@job.command(name="post")
@click.option(
    "--image",
    required=True,
    help="A reference to a registry, a name or digest of `image list`, an archive, or a folder with an OCI layout.",
)
@click.option(
    "--which", default="", help="Which image of an archive, by what the archive calls it."
)
@click.option(
    "--from",
    "references",
    multiple=True,
    help="A reference where other nodes may pull the image from [default: where it was pulled from].",
)
@click.option(
    "--not-on-graph",
    is_flag=True,
    help="Nodes take the image from registries only, not from each other first.",
)
@click.option("--bounty", type=CREDITS, required=True, help="For the best model, in credits.")
@click.option("--expires", type=SPAN, required=True, help="When bidding ends, from now: 10m, 2h.")
@click.option("--name", default="untitled", show_default=True, help="What others see the job as.")
@click.option(
    "--format",
    "model_format",
    type=click.Choice(_FORMATS),
    default="raw",
    show_default=True,
    help="How a model is written; a pickle is never verified.",
)
@click.option(
    "--contract",
    type=click.Choice(CONTRACTS),
    default=CONTRACTS[0],
    show_default=True,
    help="How node and image talk (docs/CONTRACT.md).",
)
@click.option("--negate", is_flag=True, help=NEGATE_HELP)
@click.option(
    "--trial-time", type=SPAN, default="10m", show_default=True, help="The longest trial."
)
@click.option(
    "--evaluate-time", type=SPAN, help="The longest evaluation [default: as the check measures]."
)
@click.option("--cpus", type=click.FloatRange(0.001, 1000), default=1.0, show_default=True)
@click.option("--memory", type=SIZE, default="2G", show_default=True)
@click.option("--disk", type=SIZE, default="1G", show_default=True, help="Scratch space of a run.")
@click.option("--gpus", type=click.IntRange(0, 64), default=0, show_default=True)
@click.option(
    "--model-bytes", type=SIZE, default="100M", show_default=True, help="The largest model."
)
@click.option(
    "--tolerance-ppm",
    type=click.IntRange(0, 1_000_000),
    default=100,
    show_default=True,
    help="How far a re-evaluated loss may lie off.",
)
@click.option(
    "--check/--no-check",
    default=True,
    show_default=True,
    help="Run the job here once before it is posted.",
)
@click.option(
    "--check-time",
    type=SPAN,
    default="30s",
    show_default=True,
    help="How long to wait for its first model.",
)
@home_option
@json_option
def post(
    home: Path | None,
    *,
    image: str,
    which: str,
    check: bool,
    check_time: int,
    as_json: bool,
    **terms: Any,
) -> None:
    """Post a job that trains with an image.

    The image is run as docs/CONTRACT.md says; every node that takes the job can read it.
    """
    with connect(home) as client:
        choice = _choice(client, image, which, terms)
        request = _request(choice, terms)
        _validate_price(client.call(calls.GetPrice(request=request)))
        if check:
            report = client.call(calls.Check(request=request, seconds=check_time))
            _validate_check(report)
            request = _request(
                choice,
                {**terms, "evaluate_time": terms["evaluate_time"] or report.evaluate_seconds},
            )
            click.echo(_told(report), err=True)
        submitted = client.call(calls.Submit(request=request))
    if as_json:
        print_json(submitted)
        return
    left = span_text(submitted.expiry - submitted.time)
    click.echo(
        f"Posted as job {short_id(submitted.job)} at height {submitted.height}; bidding ends in {left}."
    )


def _choice(client: Client, text: str, which: str, terms: Mapping[str, Any]) -> ImageChoice:
    """Return which image it is, and where nodes find it."""
    found, pulled_from = _bring(client, text, which)
    references = tuple(map(_reference, terms["references"])) or pulled_from
    if len(references) > REFERENCES_MAX:
        message = f"--from can be said {REFERENCES_MAX} times at most."
        raise click.UsageError(message)
    if terms["not_on_graph"] and not references:
        message = "--not-on-graph needs a registry: add --from REFERENCE."
        raise click.UsageError(message)
    return ImageChoice(
        manifest=found.image,
        total_bytes=max(1, found.total_bytes),
        references=references,
        on_graph=not terms["not_on_graph"],
    )


def _bring(client: Client, text: str, which: str) -> tuple[ImageView, tuple[str, ...]]:
    """Return an image that the node has from now on, and the registry that it came from, if it did."""
    if is_file(text):
        return _loaded(client, Path(text), which), ()
    try:
        found = find_image(client, text)
    except UnknownThing:
        if not is_registry_name(text):
            raise
        reference = _reference(text)
        click.echo(f"Pulling {reference} …", err=True)
        return client.call(calls.PullImage(reference=reference, keep=False)), (reference,)
    is_pulled = text in found.names and is_registry_name(text) and _reference(text) == text
    return found, (text,) if is_pulled else ()


def _loaded(client: Client, path: Path, which: str) -> ImageView:
    with opened_image(path, which) as found:
        digest = put_image(client, found)
        sizes = {layer.digest: layer.size for layer in found.document.layers}
        whole = sum(sizes.values()) + found.document.config.size
        return ImageView(image=digest, layers=len(sizes), total_bytes=whole)


def _reference(text: str) -> str:
    """Return a reference in full.

    Raises:
        click.UsageError: it is none; the message says what is perhaps meant.
    """
    try:
        return str(parse_reference(text))
    except BadReference as error:
        raise click.UsageError(str(error)) from error


def _request(image: ImageChoice, terms: Mapping[str, Any]) -> JobRequest:
    return JobRequest(
        title=terms["name"],
        image=image,
        bounty=terms["bounty"],
        expiry_seconds=terms["expires"],
        model_format=ModelFormat(terms["model_format"]),
        contract=contract_of(terms["contract"], negate=terms["negate"]),
        resources=Resources(
            millicpus=round(terms["cpus"] * _MILLI),
            memory_bytes=terms["memory"],
            disk_bytes=terms["disk"],
            gpus=terms["gpus"],
        ),
        trial_seconds=terms["trial_time"],
        evaluate_seconds=terms["evaluate_time"] or EVALUATE_SECONDS_UNCHECKED,
        model_bytes_max=terms["model_bytes"],
        tolerance=Tolerance(relative_ppm=terms["tolerance_ppm"]),
    )


def _validate_price(price: Price) -> None:
    if price.balance_after < 0:
        message = (
            f"Not enough credits: bounty {credits_text(price.bounty)} and fee {credits_text(price.fee)} exceed "
            f"the balance of {credits_text(price.balance)}; lower --bounty, or earn some."
        )
        raise click.ClickException(message)
    if price.note:
        click.echo(price.note, err=True)


def _validate_check(report: CheckReport) -> None:
    if report.problem is CheckProblem.NONE:
        return
    slow = report.problem is CheckProblem.NO_REPORT
    hint = (
        " Give it longer with --check-time 2m, or post it unchecked with --no-check."
        if slow
        else ""
    )
    tail = "\n".join(map(printable, report.log_tail.splitlines()))
    raise click.ClickException(report.text + hint + (f"\nIts last words:\n{tail}" if tail else ""))


def _told(report: CheckReport) -> str:
    return (
        f"Check: first model after {report.first_model_ms / 1000:.1f} s, {bytes_text(report.model_bytes)}; "
        f"evaluated twice alike in {report.evaluate_ms / 1000:.1f} s each, loss {loss_text(report.loss)}."
    )


COMMANDS: Final[tuple[click.Command, ...]] = (job,)
"""The group that ``post`` completes."""
