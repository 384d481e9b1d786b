"""``lc-node jobs`` and ``lc-node job``: what is asked for, and what came of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from lc_node.api import calls, schema
from lc_node.api.client import Client, UnknownThing
from lc_node.api.event_stream import EventStream
from lc_node.cli.model_file import copy_model, default_name
from lc_node.cli.options import connect, home_option, json_option
from lc_node.cli.output import print_json, print_json_line, print_table, printable
from lc_node.cli.story import print_story
from lc_node.cli.wording import (
    CREDITS,
    SPAN,
    credits_text,
    loss_text,
    short_address,
    short_id,
    span_text,
)

_ID_DIGITS: Final = 64
_job_argument = click.argument("job_id", metavar="JOB")


@click.command()
@click.option("--mine", is_flag=True, help="Only jobs that this node posted.")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@home_option
@json_option
def jobs(home: Path | None, limit: int, *, mine: bool, everything: bool, as_json: bool) -> None:
    """The jobs of the graph, newest first."""
    phases = () if everything else tuple(phase for phase in schema.Phase if not phase.is_over)
    with connect(home) as client:
        found = client.call(calls.GetJobs(mine=mine, phases=phases, jobs_max=limit))
        now = client.call(calls.GetStatus()).clock
    if as_json:
        print_json(found)
        return
    rows = [
        (
            short_id(one.job),
            one.title,
            one.phase.value,
            credits_text(one.bounty),
            span_text(one.due - now) if not one.phase.is_over else one.label,
            str(one.bids),
            loss_text(one.best_loss),
            short_address(one.winner or one.leader),
            one.local,
        )
        for one in found
    ]
    columns = ("job", "title", "phase", "bounty", "ends", "bids", "best", "leader", "here")
    print_table(columns, rows, empty="No such jobs; `lc-node jobs --all` also shows old ones.")


@click.group()
def job() -> None:
    """One job: its story, its model, its end. JOB is its id, or the beginning of it."""


@job.command()
@_job_argument
@home_option
@json_option
def show(job_id: str, home: Path | None, *, as_json: bool) -> None:
    """Tell a job's whole story, with the reason of every change."""
    with connect(home) as client:
        story = client.call(calls.GetJob(job=find_job(client, job_id)))
    if as_json:
        print_json(story)
    else:
        print_story(story)


@job.command()
@_job_argument
@home_option
@json_option
def watch(job_id: str, home: Path | None, *, as_json: bool) -> None:
    """Print what happens to a job, until it is over; Ctrl-C ends the watching, not the job."""
    with connect(home) as client:
        found = find_job(client, job_id)
        with client.events(job=found) as stream:
            for event in _followed(client, found, stream):
                if as_json:
                    print_json_line(event)
                else:
                    _print_event(event)


@job.command()
@_job_argument
@home_option
def cancel(job_id: str, home: Path | None) -> None:
    """Take back an own job that has no bids; everything is returned."""
    with connect(home) as client:
        receipt = client.call(calls.Cancel(job=find_job(client, job_id)))
    click.echo(f"Cancelled at height {receipt.height}.")


@job.command(name="top-up")
@_job_argument
@click.argument("amount", type=CREDITS)
@home_option
def top_up(job_id: str, amount: schema.MicroCredits, home: Path | None) -> None:
    """Raise the bounty of an own open job by AMOUNT credits."""
    with connect(home) as client:
        receipt = client.call(calls.TopUp(job=find_job(client, job_id), amount=amount))
    click.echo(f"Raised by {credits_text(amount)} credits at height {receipt.height}.")


@job.command()
@_job_argument
@click.argument("span", type=SPAN)
@home_option
def extend(job_id: str, span: int, home: Path | None) -> None:
    """Let an own open job without bids expire SPAN from now, as in 10m."""
    with connect(home) as client:
        receipt = client.call(calls.Extend(job=find_job(client, job_id), expiry_seconds=span))
    click.echo(f"Extended at height {receipt.height}.")


@job.command()
@_job_argument
@home_option
def stop(job_id: str, home: Path | None) -> None:
    """End what this node computes for a job, and take it no more."""
    with connect(home) as client:
        client.call(calls.StopRun(job=find_job(client, job_id)))
    click.echo("Stopped.")


@job.command()
@_job_argument
@click.option("--to", "target", type=click.Path(path_type=Path), help="A new file.")
@home_option
@json_option
def pull(job_id: str, target: Path | None, home: Path | None, *, as_json: bool) -> None:
    """Fetch the winner's model of a settled job into a file, its digest checked."""
    with connect(home) as client:
        found = find_job(client, job_id)
        model = client.call(calls.FetchModel(job=found))
    path = target or Path(default_name(found, model))
    copy_model(model, path)
    if as_json:
        print_json(model)
    else:
        click.echo(f"{path}: {model.size:,} bytes, {model.model_format.value}, {model.label}")


def find_job(client: Client, text: str) -> schema.JobId:
    """Return the id of the only job whose id begins with ``text``.

    Raises:
        click.UsageError: that is the beginning of several ids.
        UnknownThing: no job's id begins so, or none could.
    """
    prefix = text.lower()
    if not prefix or len(prefix) > _ID_DIGITS or set(prefix) - set("0123456789abcdef"):
        raise UnknownThing("UnknownJob", f"{text!r} is not a job's id; see `lc-node jobs --all`.")
    found = client.call(calls.GetJobs(prefix=prefix, jobs_max=2))
    if not found:
        raise UnknownThing("UnknownJob", f"No job begins with {text}; see `lc-node jobs --all`.")
    if len(found) > 1:
        message = f"Several jobs begin with {text}; write more digits."
        raise click.UsageError(message)
    return found[0].job


def _followed(client: Client, found: schema.JobId, stream: EventStream) -> Iterator[schema.Event]:
    """Yield what has happened to a job and what happens, each once, until it is over."""
    story = client.call(calls.GetJob(job=found))
    yield from story.events
    told = {_what(event) for event in story.events}
    is_over = story.summary.phase.is_over
    while not is_over:
        event = next(iter(stream))
        if _what(event) not in told:  # the stream began before the story was told
            yield event
        if event.code == schema.GAP:
            is_over = client.call(calls.GetJob(job=found)).summary.phase.is_over
        else:
            is_over = event.phase is not None and event.phase.is_over


def _what(event: schema.Event) -> schema.Event:
    """Return an event without its number, which a story does not give."""
    return msgspec.structs.replace(event, sequence=schema.Sequence(0))


def _print_event(event: schema.Event) -> None:
    place = "here" if event.height is None else str(event.height)
    click.echo(f"{place:>8}  {event.code:<12}  {printable(event.text)}")


COMMANDS: Final[tuple[click.Command, ...]] = (jobs,)
"""The group ``job`` is whole with ``post``: ``job_post_cmd`` brings it."""
