"""``make fuzz``: every target under atheris for a while, and a line on each.

``python -m tests.fuzz [--seconds N] [--jobs N] [TARGET ...]`` looks for inputs that break a promise;
``python -m tests.fuzz --total 600`` gives each turns until it has had so many seconds of a processor, over as many
sittings as that takes; ``python -m tests.fuzz --replay FILE TARGET`` shows what one of them does.
"""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.campaign import fuzz_for
from tests.fuzz.endurance import fuzz_until
from tests.fuzz.targets import BROKEN, TARGETS, target_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return 0 if no promise was broken, 1 if one was, 2 without atheris."""
    wished = _parser().parse_args(arguments)
    names = wished.targets or list(TARGETS)
    if wished.replay is not None:
        is_accepted = target_of(names[0]).check(wished.replay.read_bytes())
        print("accepted" if is_accepted else "refused by name")
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: it has wheels for Linux on x86-64, Python 3.11 to 3.13")
        return 2
    is_good = True
    if wished.total:
        for report, spent in fuzz_until(wished.total, names, wished.jobs):
            print(f"{report}; {spent.processor_seconds:,} s in all", flush=True)
            is_good = is_good and not report.problem
        return 0 if is_good else 1
    with ThreadPoolExecutor(wished.jobs) as pool:
        for report in pool.map(lambda name: fuzz_for(wished.seconds, name), names):
            print(report, flush=True)
            is_good = is_good and not report.problem
    return 0 if is_good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument(
        "--total", type=int, help="of a processor, for each target, over all sittings"
    )
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time")
    parser.add_argument("--replay", type=Path, help="give a file to one target")
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, BROKEN, []], metavar="TARGET")
    return parser


if __name__ == "__main__":
    sys.exit(main())
