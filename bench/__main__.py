"""Measures the targets: ``python -m bench [NAME ...]``; a line each, figures to bench/results.json."""

import importlib
import sys
from pathlib import Path

from bench.harness import Measured, write_results


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; return how many names are unknown."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))
    chosen = [f"bench_{name.replace('.', '_')}" for name in names] or found
    unknown = [name for name in chosen if name not in found]
    if unknown:
        print("unknown:", *unknown, "- known:", *found, file=sys.stderr)
        return len(unknown)
    results: list[Measured] = []
    for name in chosen:
        for result in importlib.import_module(f"bench.{name}").run():
            print(result.line(), flush=True)
            results.append(result)
    if not names:
        write_results(results)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
