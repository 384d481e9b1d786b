"""What a submitter is told before a job is posted: what leaves the machine, its price, the check."""

from typing import Final

from lc_jupyter.display import Cell, Shown, facts, fold, lines, paragraph, stack
from lc_jupyter.packaging.image import BuiltImage
from lc_jupyter.units import show_bytes, show_credits, show_loss
from lc_node.api.schema_jobs import CheckProblem, CheckReport, Price

LARGE_BYTES: Final = 2 * 1024**3
"""From here on it is told what an image costs all who fetch it."""


def show_copies(total_bytes: int, nodes: int) -> Shown:
    """Return what it means that each node fetches a large image."""
    if nodes == 0:
        return paragraph(
            f"Every node that takes the job fetches {show_bytes(total_bytes)}.", "bad"
        )
    text = (
        f"Every node that takes the job fetches {show_bytes(total_bytes)}: from all {nodes} that are connected now "
        f"{show_bytes(total_bytes * nodes)} would be asked. --exclude leaves files of --include out."
    )
    return paragraph(text, "bad")


def show_image(image: BuiltImage, sent: int) -> Shown:
    """Return what leaves the machine: layers, distributions, captured names, and how much is new."""
    plan = image.plan
    rows: list[tuple[str, Cell | str]] = [
        ("image", f"{len(image.layers)} layers, {show_bytes(image.total_bytes)}"),
        ("new to the node", show_bytes(sent)),
        ("packaged in", f"{sum(image.seconds.values()):.1f} s"),
        (
            "captured",
            _listed([f"{n.name} ({n.kind}, {show_bytes(n.size)})" for n in plan.captured]),
        ),
    ]
    if plan.local_files:
        rows.append(("own files", _listed(plan.local_files)))
    if plan.included_files:
        included = [f"{path} ({show_bytes(size)})" for path, size in plan.included_files]
        rows.append(("included", _listed(included)))
    if plan.findings:
        findings = [f"{where}: {rule}" for where, rule in plan.findings]
        rows.append(("allowed, though secret-like", Cell(_listed(findings), "bad")))
    if plan.startup_code:
        rows.append(("not taken along", Cell(_listed(plan.startup_code), "bad")))
    if plan.missing_libraries:
        rows.append(("libraries not found", Cell(_listed(list(plan.missing_libraries)), "bad")))
    return stack(facts("What the image holds", rows), _packages(image))


def show_price(price: Price) -> Shown:
    """Return what posting would cost, in a sentence."""
    text = (
        f"Price: bounty {show_credits(price.bounty)} + fee {show_credits(price.fee)}; "
        f"balance {show_credits(price.balance)}, after it {show_credits(price.balance_after)}."
    )
    return stack(paragraph(text), *([paragraph(price.note)] if price.note else []))


def show_check(report: CheckReport) -> Shown:
    """Return what running the job once on the own node has shown."""
    if report.problem is not CheckProblem.NONE:
        found = paragraph(f"Check: {report.text}", "bad")
        words = report.log_tail.strip()
        return stack(found, fold("The job's last words", lines(words))) if words else found
    return paragraph(
        f"Check: first model after {report.first_model_ms / 1000:.1f} s, "
        f"{show_bytes(report.model_bytes)}; evaluated twice alike in "
        f"{report.evaluate_ms / 1000:.1f} s each, loss {show_loss(report.loss)}.",
        "good",
    )


def _packages(image: BuiltImage) -> Shown:
    names = [f"{name} {version}" for name, version in image.plan.distributions]
    count = f"{len(names)} package{'' if len(names) == 1 else 's'}"
    return fold(count, paragraph(", ".join(names)))


def _listed(names: list[str] | tuple[str, ...], shown_max: int = 12) -> str:
    more = f" and {len(names) - shown_max} more" if len(names) > shown_max else ""
    return ", ".join(names[:shown_max]) + more or "nothing"
