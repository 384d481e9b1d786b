"""Fuzz targets under atheris: ``python -m tests.fuzz.coverage_guided LIMIT CACHE TARGET ...``."""

import os
import sys
from pathlib import Path
from random import Random
from typing import Final

import atheris

# What is imported here is watched: libFuzzer keeps the inputs that reach new lines.
with atheris.instrument_imports(include=["lc_node"], enable_loader_override=False):
    from tests.fuzz.targets import target_of

NEW_SHARE: Final = 0.25
"""How often an input begins with a new value, and how often that one stays as it is."""

INPUT_SECONDS_MAX: Final = 10
"""An input that takes longer is a hang."""

MEMORY_MIB_MAX: Final = 768
"""A target that takes more has a leak, or an input made it take it: the program itself has some 70."""


def main(limit: str, cache: str, *names: str) -> None:
    """Look for inputs that break the targets' promises, each within libFuzzer's ``limit``.

    Each gets a child, which libFuzzer takes over; after it a line says how it ended, and how long it had a
    processor. What is found is written to files in ``cache`` whose names begin with ``found-`` and the target's.
    """
    for name in names:
        print(f"== {name}", flush=True)
        child = os.fork()
        if child == 0:
            _fuzz(name, limit, Path(cache))
        _, status, usage = os.wait4(child, 0)
        seconds = usage.ru_utime + usage.ru_stime
        print(
            f"== ended with {os.waitstatus_to_exitcode(status)} after {seconds:.0f} s", flush=True
        )


def _fuzz(name: str, limit: str, cache: Path) -> None:
    target = target_of(name)
    corpus = cache / name
    corpus.mkdir(parents=True, exist_ok=True)
    samples = target.samples()
    for number, sample in enumerate(samples):
        (corpus / f"sample-{number}").write_bytes(sample)
    options = (
        limit,
        f"-max_len={max(target.bytes_max, *map(len, samples))}",
        f"-timeout={INPUT_SECONDS_MAX}",
        f"-rss_limit_mb={MEMORY_MIB_MAX}",
        f"-artifact_prefix={cache}/found-{name}-",
        "-print_final_stats=1",
        "-verbosity=0",
    )

    def look(data: bytes) -> None:
        target.check(data)

    def change(data: bytes, length_max: int, seed: int) -> bytes:
        """Change an input; where values have a type, sometimes begin with a new one."""
        random = Random(seed)  # noqa: S311  # libFuzzer's seed
        if target.draw is not None and random.random() < NEW_SHARE:
            data = target.draw(random)[:length_max]
            if random.random() < NEW_SHARE:
                return data
        return bytes(atheris.Mutate(data, length_max))

    atheris.Setup([sys.argv[0], *options, str(corpus)], look, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
