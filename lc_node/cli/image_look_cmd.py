"""``lc-node image inspect``, ``check`` and ``run``: what is in an image, would a node take it, what does it do."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Final

import click

from lc_node.api.schema import Digest, NanoLoss
from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import Fault, ModelFormat
from lc_node.chain.types import ByteCount, Seconds
from lc_node.cli.exits import Exit
from lc_node.cli.image_store_cmd import image_argument
from lc_node.cli.images import find_image, is_file, open_blob, read_blob
from lc_node.cli.options import connect, home_option, json_option, sandbox_wishes
from lc_node.cli.output import print_json, print_pairs, print_table, printable
from lc_node.cli.wording import SPAN, bytes_text, loss_text
from lc_node.runtime.diagnosis import Finding
from lc_node.runtime.evaluator import Evaluation
from lc_node.runtime.image_check import HELLO_SECONDS_MAX, check_image
from lc_node.runtime.image_files import opened_image
from lc_node.runtime.image_report import ImageReport, LayerReport, report_on
from lc_node.runtime.image_runs import ImageRuns, RunTerms
from lc_node.runtime.image_source import LocalImage, fetch_image
from lc_node.runtime.trainer import Training

_DIGEST_SHOWN: Final = 19
_DISTRIBUTIONS_SHOWN: Final = 3
_FINDINGS_SHOWN: Final = 20
_MIB: Final = 1024 * 1024

Opened = AbstractAsyncContextManager[ImageRuns]
"""An image and a sandbox that are about to be opened."""

which_option = click.option(
    "--which", default="", help="Which image of a file, by what the file calls it."
)


@click.command()
@image_argument
@which_option
@home_option
@json_option
def inspect(image: str, which: str, home: Path | None, *, as_json: bool) -> None:
    """Show of IMAGE (a file, or one of the node's) the layers, the start, the packages, and what tells of people."""
    with opened_locally(image, which, home) as found:
        report = report_on(found)
    if as_json:
        print_json(report)
        return
    print_pairs(_pairs(report))
    click.echo()
    columns = ("layer", "size", "unpacked", "files", "what it is")
    print_table(columns, [_row(layer) for layer in report.layers], empty="")
    click.echo()
    _print_findings(report)


@click.command()
@image_argument
@which_option
@click.option(
    "--seconds",
    type=SPAN,
    default=f"{HELLO_SECONDS_MAX}s",
    show_default=True,
    help="How long it may take to begin a trial.",
)
@home_option
@json_option
def check(image: str, which: str, seconds: int, home: Path | None, *, as_json: bool) -> Exit:
    """See whether a node would take IMAGE: documents, platform, unpacking, and its first words in the sandbox.

    The first words are those of contract lc/1; `lc-node contract check` tries the whole of it, or stdout/1.
    """
    wishes = sandbox_wishes(home)
    with opened_locally(image, which, home) as found:
        terms = RunTerms(seconds=Seconds(seconds))
        findings = asyncio.run(check_image(found, terms, lambda _who, _line: None, wishes))
    if as_json:
        print_json({"checks": findings})
    else:
        for finding in findings:
            click.echo(_line_of(finding))
    return Exit.OK if all(finding.is_fine for finding in findings) else Exit.REFUSED


@click.command(name="run")
@image_argument
@click.argument("role", type=click.Choice(["train", "evaluate"]))
@click.option(
    "--model",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What train leaves its last model in, and evaluate reads.",
)
@which_option
@click.option("--trials", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--seconds", type=SPAN, default="10m", show_default=True, help="The longest it may take."
)
@click.option("--cpus", type=click.FloatRange(0.1, 1000), default=1, show_default=True)
@click.option("--memory", type=click.IntRange(64), default=2048, show_default=True, help="In MiB.")
@click.option("--disk", type=click.IntRange(1), default=1024, show_default=True, help="In MiB.")
@click.option(
    "--model-size", type=click.IntRange(1), default=100, show_default=True, help="In MiB."
)
@click.option(
    "--format",
    "model_format",
    type=click.Choice([str(one) for one in ModelFormat]),
    default=str(ModelFormat.RAW),
    help="What job.json says the model's format is.",
)
@click.option(
    "--contract",
    type=click.Choice([str(one) for one in Contract]),
    default=str(Contract.LC_1),
    show_default=True,
)
@home_option
def run_(  # noqa: PLR0913  # one argument an option
    *,
    image: str,
    role: str,
    model: Path | None,
    which: str,
    trials: int,
    seconds: int,
    cpus: float,
    memory: int,
    disk: int,
    model_size: int,
    model_format: str,
    contract: str,
    home: Path | None,
) -> Exit:
    """Run IMAGE in the sandbox as a node would, and show every line: `<` is the job, `>` the node.

    The sandbox is the one that [sandbox] of the home's config.toml names. The model is never opened here.
    """
    if role == "evaluate" and (model is None or not model.is_file()):
        message = "evaluate needs a model: --model FILE"
        raise click.UsageError(message)
    terms = RunTerms(
        seconds=Seconds(seconds),
        millicpus=round(cpus * 1000),
        memory_bytes=ByteCount(memory * _MIB),
        disk_bytes=ByteCount(disk * _MIB),
        model_bytes_max=ByteCount(model_size * _MIB),
        model_format=ModelFormat(model_format),
        contract=Contract(contract),
    )
    wishes = sandbox_wishes(home)
    with opened_locally(image, which, home) as found:
        opened = ImageRuns.opened(found.digest, found, _hear, wishes)
        if role == "train":
            return asyncio.run(_train(opened, terms, trials, model))
        assert model is not None, "seen above"
        return asyncio.run(_evaluate(opened, terms, model))


async def _train(opened: Opened, terms: RunTerms, trials: int, into: Path | None) -> Exit:
    async with opened as runs:
        training, model = await runs.train(terms, trials=trials)
        if model is not None and into is not None:
            await asyncio.to_thread(shutil.copyfile, model, into)
    print_pairs(_ending(training))
    return Exit.OK if training.fault is Fault.NONE else Exit.REFUSED


async def _evaluate(opened: Opened, terms: RunTerms, model: Path) -> Exit:
    async with opened as runs:
        evaluation = await runs.evaluate(terms, model)
    losses = f"{_loss_text(evaluation)}, the mean of {len(evaluation.losses)}"
    print_pairs((*_ending(evaluation), ("loss", losses if evaluation.losses else "")))
    return Exit.OK if evaluation.fault is Fault.NONE else Exit.REFUSED


def _loss_text(evaluation: Evaluation) -> str:
    return loss_text(None if evaluation.loss is None else NanoLoss(evaluation.loss))


def _ending(run: Training | Evaluation) -> tuple[tuple[str, str], ...]:
    outcome = run.outcome
    for line in outcome.log_tail.splitlines():
        click.echo(f"| {printable(line)}")
    return (
        ("ended", "well" if run.fault is Fault.NONE else f"{run.fault}: {run.text}"),
        ("models", str(run.models) if isinstance(run, Training) else ""),
        ("took", f"{outcome.wall / 1000:.1f} s, {outcome.cpu / 1000:.1f} s of processors"),
        ("memory", f"{bytes_text(outcome.memory_peak_bytes)} at most"),
    )


def _hear(who: str, line: bytes) -> None:
    click.echo(f"{who} {printable(line.decode(errors='replace'))}")


@contextmanager
def opened_locally(image: str, which: str, home: Path | None) -> Iterator[LocalImage]:
    """Bring an image of a file or of the node into a folder of ours, for as long as the body runs.

    Raises:
        ImageRefused, NoSuchImage, UnknownThing, NodeUnreachable: see each.
    """
    with tempfile.TemporaryDirectory(prefix="lc-image-") as name:
        folder = Path(name)
        if is_file(image):
            with opened_image(Path(image), which) as found:
                yield fetch_image(
                    found.manifest, lambda blob: found.open(f"sha256:{blob.hex()}"), folder
                )
                return
        with connect(home) as client:
            manifest = read_blob(client, find_image(client, image).image)
            local = fetch_image(
                manifest, lambda blob: open_blob(client, Digest(blob.hex())), folder
            )
        yield local


def _pairs(report: ImageReport) -> tuple[tuple[str, str], ...]:
    packages = sum(len(layer.distributions) for layer in report.layers)
    variables = " ".join(f"{name}={value}" for name, value in sorted(report.environment.items()))
    return (
        ("image", report.digest),
        ("size", f"{bytes_text(report.bytes)} in {len(report.layers)} layers"),
        ("platform", report.platform),
        ("starts", " ".join(report.argv) or "nothing: it names no program"),
        ("in", report.working_folder or "/"),
        ("packages", f"{packages} of Python" if packages else ""),
        ("variables", variables),
    )


def _row(layer: LayerReport) -> tuple[str, ...]:
    shown = layer.distributions[:_DISTRIBUTIONS_SHOWN]
    more = len(layer.distributions) - len(shown)
    packages = ", ".join(shown) + (f" and {more} more" if more else "")
    return (
        layer.digest[:_DIGEST_SHOWN],
        bytes_text(layer.bytes),
        bytes_text(layer.unpacked_bytes),
        str(layer.files),
        layer.title or packages or "-",
    )


def _print_findings(report: ImageReport) -> None:
    if not report.findings:
        click.echo("Nothing in it looks like a key, a password or a person's home.")
        return
    click.echo(
        f"{len(report.findings)} things in it tell of people; whoever gets the image can read them:"
    )
    for finding in report.findings[:_FINDINGS_SHOWN]:
        click.echo(f"  {printable(finding.where)}: {printable(finding.what)}")
    if len(report.findings) > _FINDINGS_SHOWN:
        click.echo(f"  and {len(report.findings) - _FINDINGS_SHOWN} more; --json shows all")


def _line_of(finding: Finding) -> str:
    return (
        f"{'ok     ' if finding.is_fine else 'PROBLEM'} {finding.name}: {printable(finding.text)}"
    )


COMMANDS: Final[tuple[click.Command, ...]] = (inspect, check, run_)
