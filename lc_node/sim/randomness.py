"""Randomness that is a pure function of a seed and a name: each part of a run draws from its own."""

from random import Random


def stream(seed: int, *names: object) -> Random:
    """Return the random numbers of one part of the run with this seed."""
    name = "/".join(str(part) for part in (seed, *names))
    return Random(name)  # noqa: S311 - a simulation has to be repeatable; no secret depends on it
