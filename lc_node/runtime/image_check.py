"""Would a node take this image? Everything that is looked at before a job of it is worked on, and its first words."""

import asyncio
from typing import Final

from lc_node.ports.images import ImageRefused
from lc_node.ports.sandbox import Run, SandboxFailed, SandboxUnavailable, SandboxWishes
from lc_node.runtime.diagnosis import Finding
from lc_node.runtime.image_runs import ImageRuns, RunTerms
from lc_node.runtime.image_source import LocalImage
from lc_node.runtime.overheard_sandbox import Hear
from lc_node.worker.contract import Begin, Message, parse_line
from lc_node.worker.lines import BadLine

HELLO_SECONDS_MAX: Final = 120
"""Imports of large libraries take their time on a busy machine."""


async def check_image(
    image: LocalImage, terms: RunTerms, hear: Hear, wishes: SandboxWishes
) -> tuple[Finding, ...]:
    """Return what was looked at, in order; after something amiss, nothing more is."""
    documents = Finding(
        name="documents",
        is_fine=True,
        text=f"{len(image.manifest.layers)} layers, {image.total_bytes:,} bytes",
    )
    try:
        async with ImageRuns.opened(image.digest, image, hear, wishes) as runs:
            program = " ".join(runs.image.argv)
            unpacked = Finding(name="unpacking", is_fine=True, text=f"starts {program}")
            return documents, unpacked, await _hello(runs, terms)
    except ImageRefused as error:
        return documents, Finding(name="unpacking", is_fine=False, text=str(error))


async def _hello(runs: ImageRuns, terms: RunTerms) -> Finding:
    """Start a training and hear whether it begins a trial, as contract lc/1 asks; then it is killed."""
    try:
        is_fine, text = await _first_words(runs, terms)
    except (SandboxFailed, SandboxUnavailable) as error:
        return Finding(name="sandbox", is_fine=False, text=str(error))
    return Finding(name="contract", is_fine=is_fine, text=text)


async def _first_words(runs: ImageRuns, terms: RunTerms) -> tuple[bool, str]:
    async with runs.started(terms) as run:
        try:
            async with asyncio.timeout(terms.seconds):
                message = await _first_message(run)
                outcome = await run.wait() if message is None else None
        except TimeoutError:
            return False, f"it began no trial within {terms.seconds} s"
        except BadLine as error:
            return False, f"a line breaks the contract: {error}"
    if outcome is not None:
        said = outcome.log_tail.strip().rpartition("\n")[2] or "and said nothing"
        return False, f"it ended ({outcome.status}, {outcome.exit_code}): {said}"
    if not isinstance(message, Begin):
        return False, "its first message is not `begin`"
    return True, "it begins a trial"


async def _first_message(run: Run) -> Message | None:
    """Return the first message, None if the run ends without one.

    Raises:
        BadLine: a line claims to be a message and is none.
    """
    while (line := await run.read_line()) is not None:
        if (message := parse_line(line)) is not None:
            return message
    return None
