"""How much of the machine one run of a job may use."""

from dataclasses import dataclass, replace
from typing import Final

from lc_node.chain.transactions import JobSpec
from lc_node.chain.types import ByteCount, MillisSpan, Seconds
from lc_node.worker.lines import LINE_BYTES_MAX

MEBIBYTE: Final = 1024 * 1024
SECOND_MS: Final = 1_000
GRACE: Final = Seconds(10)
"""How long a training may take to end after it was told to stop."""

_EVALUATE_PATIENCE: Final = 3
"""A machine that does much else gets this many times an evaluation's declared time, as many as the window for
verdicts has room for (``ProtocolParams.commit_evaluations``): being busy is no fault of the model."""

STDOUT_LINE_BYTES_MAX: Final = MEBIBYTE
"""Of programs that know nothing of us: a bar of progress may be one line of some hundred kilobytes."""

_EVALUATE_OUT_BYTES: Final = 1 * MEBIBYTE
_LOG_BYTES: Final = 64 * MEBIBYTE
_PIDS: Final = 256
_INODES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What one run may use; the names are those of the sandbox's own limits."""

    millicpus: int
    memory_bytes: ByteCount
    pids: int
    out_bytes: ByteCount
    scratch_bytes: ByteCount
    inodes: int
    wall: MillisSpan
    log_bytes: ByteCount
    line_bytes: ByteCount
    grace: Seconds


def train_limits(spec: JobSpec, span: MillisSpan) -> RunLimits:
    """Return the limits of a training that is to stop after ``span``."""
    return _limits(
        spec,
        # A job writes its next model beside the one that is being copied.
        out_bytes=ByteCount(2 * spec.model_bytes_max + MEBIBYTE),
        wall=MillisSpan(span + 2 * GRACE * SECOND_MS),
        grace=GRACE,
    )


def evaluate_limits(spec: JobSpec) -> RunLimits:
    """Return the limits of one evaluation."""
    return _limits(
        spec,
        out_bytes=ByteCount(_EVALUATE_OUT_BYTES),
        wall=MillisSpan(_EVALUATE_PATIENCE * spec.evaluate_seconds * SECOND_MS),
        grace=Seconds(0),
    )


def predict_limits(spec: JobSpec, predictions_bytes_max: ByteCount) -> RunLimits:
    """Return the limits of one prediction: those of an evaluation, with room for what is predicted."""
    out_bytes = ByteCount(predictions_bytes_max + _EVALUATE_OUT_BYTES)
    return replace(evaluate_limits(spec), out_bytes=out_bytes)


def trial_limits(spec: JobSpec, span: MillisSpan) -> RunLimits:
    """Return the limits of one trial under contract stdout/1, whose /tmp holds the model beside all else."""
    out_bytes = spec.resources.disk_bytes + spec.model_bytes_max + MEBIBYTE
    return _in_tmp(train_limits(spec, span), ByteCount(out_bytes), span)


def plain_evaluate_limits(spec: JobSpec) -> RunLimits:
    """Return the limits of one evaluation under contract stdout/1."""
    limits = evaluate_limits(spec)
    return _in_tmp(limits, spec.resources.disk_bytes, limits.wall)


def _in_tmp(limits: RunLimits, out_bytes: ByteCount, wall: MillisSpan) -> RunLimits:
    return replace(
        limits,
        out_bytes=out_bytes,
        scratch_bytes=ByteCount(0),
        wall=wall,
        line_bytes=ByteCount(STDOUT_LINE_BYTES_MAX),
        grace=Seconds(0),
    )


def memory_limit(spec: JobSpec) -> ByteCount:
    """Return the memory that a run of the job may reach, which is what admission counts.

    The declared memory, twice the model (in the job and in /lc/out), and /tmp, all of which may be memory.
    """
    return ByteCount(
        spec.resources.memory_bytes + 2 * spec.model_bytes_max + spec.resources.disk_bytes
    )


def _limits(spec: JobSpec, *, out_bytes: ByteCount, wall: MillisSpan, grace: Seconds) -> RunLimits:
    return RunLimits(
        millicpus=spec.resources.millicpus,
        memory_bytes=memory_limit(spec),
        pids=_PIDS,
        out_bytes=out_bytes,
        scratch_bytes=spec.resources.disk_bytes,
        inodes=_INODES,
        wall=wall,
        log_bytes=ByteCount(_LOG_BYTES),
        line_bytes=ByteCount(LINE_BYTES_MAX),
        grace=grace,
    )
