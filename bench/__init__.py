"""Benchmarks: one file a target, each printing a ratio of two things measured in one run."""
