"""``lc-node demo`` and ``devnet``: a whole graph on this machine."""

import asyncio
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from lc_node.cli.exits import Exit
from lc_node.cli.life import live
from lc_node.cli.output import print_pairs, print_table
from lc_node.ports.sandbox import SandboxUnavailable
from lc_node.runtime.demo import Summary, find_notebook, run_demo
from lc_node.runtime.devnet import DEMO, Devnet, prepare, running, validate_stopped
from lc_node.runtime.diagnosis import diagnose

_PREFIX: Final = "lc-demo-"


@click.command()
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures to this file as well.",
)
def demo(json_path: Path | None) -> int:
    """Seven nodes train a notebook's job; one of them lies, and is banned.

    A submitter, two trainers, three that only evaluate, and a liar run as processes on this machine. The
    notebook examples/01-digits.ipynb posts the job and pulls the winner's model.
    """
    if json_path is not None:
        json_path.touch()  # a place where nothing can be written is told now, not at the end
    _require_sandbox()
    notebook = find_notebook("01-digits.ipynb")
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        click.echo("Starting seven nodes ...")
        with running(Path(folder) / "net") as devnet:
            click.echo(f"All connected. Executing {notebook.name}:")
            summary = run_demo(devnet, notebook, click.echo)
    _print_summary(summary)
    if json_path is not None:
        json_path.write_text(json.dumps(asdict(summary), indent=2) + "\n", encoding="utf-8")
        click.echo(f"Figures: {json_path}")
    for promise in summary.broken:
        click.echo(f"Not as promised: {promise}.", err=True)
    return Exit.REFUSED if summary.broken else Exit.OK


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("devnet"),
    show_default=True,
    help="Where the nodes keep everything; an existing devnet there goes on.",
)
def devnet(folder: Path) -> None:
    """Run the demo's seven nodes until Ctrl-C, for trying things out in your own notebook."""
    _require_sandbox()
    validate_stopped(folder.absolute())
    net = Devnet(prepare(folder.absolute(), DEMO))
    live(lambda: _run_until_stopped(net))


COMMANDS: Final = (demo, devnet)


async def _run_until_stopped(net: Devnet) -> None:
    """Whoever stops this has seen the last node end when it returns."""
    try:
        net.start_all()
        await asyncio.to_thread(net.wait_ready)
        home = net.place("submitter").home.path
        click.echo(f"Seven nodes run. In your shell or notebook:\n  export LC_NODE={home}")
        await asyncio.Event().wait()
    finally:
        net.stop()


def _require_sandbox() -> None:
    found = asyncio.run(diagnose(None))
    if found.sandbox_problem:
        raise SandboxUnavailable(found.sandbox_problem)


def _print_summary(summary: Summary) -> None:
    click.echo("")
    print_pairs(
        (
            ("job", summary.job_id),
            ("winner", summary.winner or "nobody"),
            ("announced loss", f"{summary.announced_loss}"),
            ("evaluated", ", ".join(f"{loss:.9f}" for loss in summary.evaluated_losses)),
            ("in the kernel", f"{summary.kernel_loss:.9f}"),
            ("on the test set", f"{summary.test_loss:.4f}"),
            ("label", summary.label),
            ("liar", summary.liar),
            ("banned", ", ".join(summary.banned) or "nobody"),
            ("height", str(summary.height)),
            ("sandbox", summary.engine),
            *((f"seconds: {name}", f"{value:.1f}") for name, value in summary.seconds.items()),
        )
    )
    rows = [
        (name, f"{c.before:.4f}", f"{c.after:.4f}", f"{c.after - c.before:+.4f}")
        for name, c in summary.credits.items()
    ]
    print_table(("node", "credits before", "after", "change"), rows, empty="")
