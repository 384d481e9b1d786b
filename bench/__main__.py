"""Measures the targets: ``python -m bench [--keep] [NAME ...]``; a line each.

The figures of a full run, or with ``--keep`` those of the named targets, go to bench/results.json and the page.
``--redraw`` measures nothing, and draws the page from the figures that are kept.
"""

import importlib
import os
import sys
from dataclasses import replace
from pathlib import Path

from bench.harness import Measured, NothingMeasured
from bench.report import Machine, keep, redraw, write_report


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, or all; return how many could not be run."""
    if arguments == ["--redraw"]:
        redraw()
        return 0
    names = [one for one in arguments if one != "--keep"]
    found = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    chosen = [f"bench_{name.replace('.', '_')}" for name in names] or found
    unknown = [name for name in chosen if name not in found]
    if unknown:
        print("unknown:", *unknown, "- known:", *found, file=sys.stderr)
        return len(unknown)
    machine = Machine.current()
    results: list[Measured] = []
    missing = 0
    for name in chosen:
        load = round(os.getloadavg()[0], 1)
        try:
            measured = importlib.import_module(f"bench.{name}").run()
        except NothingMeasured as error:
            print(f"{name}: not measured: {error}", file=sys.stderr)
            missing += 1
            continue
        loaded = [replace(result, load=load) for result in measured]
        for result in loaded:
            print(result.line(), flush=True)
        if "--keep" in arguments:
            keep(machine, loaded)
        results += loaded
    if not names and not missing:
        write_report(machine, results)
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
