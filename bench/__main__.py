"""Measures the targets: ``python -m bench [NAME ...]``; a line each.

Figures go to bench/results.json: all of a full run, only the counts of named targets.
"""

import importlib
import sys
from pathlib import Path

from bench.harness import Measured, NothingMeasured
from bench.report import Machine, keep_counts, write_report


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; return how many could not be run."""
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
        try:
            measured = importlib.import_module(f"bench.{name}").run()
        except NothingMeasured as error:
            print(f"{name}: not measured: {error}", file=sys.stderr)
            missing += 1
            continue
        for result in measured:
            print(result.line(), flush=True)
            results.append(result)
    if not names and not missing:
        write_report(machine, results)
    else:
        keep_counts(results)
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
