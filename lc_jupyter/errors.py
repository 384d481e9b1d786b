"""What a person at a notebook did that cannot work, said in one message that names the fix."""


class UserError(Exception):
    """Shown without a traceback; its message says what to do."""

    def _render_traceback_(self) -> list[str]:
        """Serve IPython, which shows these lines in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class StoppedWaiting(KeyboardInterrupt):
    """The waiting was interrupted, not the job."""

    def __init__(self, job: str) -> None:
        """Name the job and how to go on."""
        super().__init__(
            f"No longer waiting; job {job[:12]} goes on by itself. %lc_wait waits again."
        )

    def _render_traceback_(self) -> list[str]:
        """Serve IPython, which shows these lines in place of a traceback."""
        return [str(self)]


def render_as(error: BaseException, text: str) -> None:
    """Let IPython show a text in place of a traceback, where an error's class must stay as it is."""
    vars(error)["_render_traceback_"] = lambda: [text]
