"""Times and stable names as people read them."""

from datetime import UTC, datetime

from lc_jupyter.units import show_seconds
from lc_node.api.schema_jobs import JobSummary


def show_clock(millis: int) -> str:
    """Return the local time of day."""
    return _local(millis).strftime("%H:%M:%S")


def show_moment(millis: int) -> str:
    """Return the local day and time."""
    return _local(millis).strftime("%m-%d %H:%M:%S")


def show_time_left(job: JobSummary, now_ms: int) -> str:
    """Return how long the job's phase lasts at most."""
    return "–" if job.phase.is_over else show_seconds((job.due - now_ms) // 1000)


def show_local(job: JobSummary) -> str:
    """Return what this node does with a job; empty where that is nothing."""
    return "" if job.local == "idle" else job.local


def words(name: str) -> str:
    """Return a stable name without its underscores."""
    return name.replace("_", " ")


def _local(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, tz=UTC).astimezone()
