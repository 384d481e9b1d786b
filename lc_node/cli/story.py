"""A job's story in a terminal."""

from lc_node.api.schema_jobs import JobStory, VerdictView
from lc_node.cli.output import print_pairs, print_table
from lc_node.cli.wording import credits_text, loss_text, short_address


def print_story(story: JobStory) -> None:
    """Print a job, its bids ranked, its committee's verdicts, and every change with its reason."""
    print_pairs(_head(story))
    print_table(
        ("rank", "bidder", "loss", "standing", "opened", "void because"),
        [
            (
                str(bid.rank),
                short_address(bid.bidder) + (" (this node)" if bid.mine else ""),
                loss_text(bid.loss),
                bid.standing,
                "yes" if bid.opened else "",
                bid.void_text or bid.void_code,
            )
            for bid in story.bids
        ],
        empty="No bids.",
    )
    if story.verdicts:
        print_table(
            ("verifier", "on", "verdict"),
            [
                (short_address(one.verifier), short_address(one.candidate), _verdict_text(one))
                for one in story.verdicts
            ],
            empty="",
        )
    print_table(
        ("height", "event", "what happened"),
        [(str(event.height or "here"), event.code, event.text) for event in story.events],
        empty="No events.",
    )


def _head(story: JobStory) -> tuple[tuple[str, str], ...]:
    summary = story.summary
    return (
        ("job", summary.job),
        ("title", summary.title),
        ("posted by", summary.submitter + (" (this node)" if summary.mine else "")),
        ("phase", summary.phase.value),
        ("bounty", f"{credits_text(summary.bounty)} credits"),
        ("fee", f"{credits_text(story.fee)} credits" if story.fee else ""),
        ("contract", story.request.contract),
        ("model format", summary.model_format.value),
        ("winner", summary.winner or ""),
        ("label", summary.label),
        ("reason", story.reason_text or story.reason_code),
        ("here", summary.local),
    )


def _verdict_text(verdict: VerdictView) -> str:
    if not verdict.revealed:
        return "committed" if verdict.committed else "awaited"
    if verdict.fault not in {"", "none"}:
        return verdict.fault
    return f"{'confirms' if verdict.confirms else 'refutes'}, mean {loss_text(verdict.mean)}"
