"""The runner's end of contract lc/1: commands out, answers in, on descriptors that user code cannot hit."""

import json
import os
import select
import threading
from typing import Any, Final

LINE_BYTES_MAX: Final = 4096
_READ_BYTES: Final = 65536


class NodeGone(BaseException):
    """Nobody answers any more; no ``except Exception`` of a cell should hold the run back."""


class Refused(Exception):
    """The node answered a command with an error; the trial can only end now."""


class Channel:
    """JSON lines to and from the node."""

    def __init__(self, answers: int, commands: int) -> None:
        """Speak over two file descriptors, which are this object's from now on."""
        self._answers = answers
        self._commands = commands
        self._buffer = b""
        self._turn = threading.Lock()
        self._stopping = False

    @classmethod
    def from_stdio(cls) -> "Channel":
        """Keep stdin and stdout for the contract, and leave harmless ones to user code.

        A stray print then goes to stderr and cannot break a line; a stray input() reads nothing.
        """
        answers, commands = os.dup(0), os.dup(1)
        os.dup2(2, 1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        return cls(answers, commands)

    @property
    def stopping(self) -> bool:
        """Whether the node has asked the run to end."""
        if self._turn.acquire(blocking=False):
            try:
                self._read_waiting()
            finally:
                self._turn.release()
        return self._stopping

    def send(self, **fields: object) -> None:
        """Write one command that has no answer.

        Raises:
            ValueError: it is longer than a line may be.
            NodeGone: nobody reads.
        """
        line = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
        if len(line) > LINE_BYTES_MAX:
            raise ValueError(
                f"{fields['lc']}: {len(line)} bytes, a line may have {LINE_BYTES_MAX}"
            )
        try:
            while line:
                line = line[os.write(self._commands, line) :]
        except BrokenPipeError as error:
            raise NodeGone from error

    def call(self, **fields: object) -> dict[str, Any]:
        """Write one command and return its answer.

        Raises:
            Refused: the answer is an error; the text is the node's.
            NodeGone: nobody answers.
        """
        with self._turn:
            self.send(**fields)
            answer = self._answer(fields.get("trial"))
        if answer["lc"] == "error":
            raise Refused(f"{answer['code']}: {answer['text']}")
        return answer

    def _answer(self, trial: object) -> dict[str, Any]:
        while True:
            said = self._parse(self._line())
            if said is not None and said.get("trial") == trial:
                return said

    def _read_waiting(self) -> None:
        """Take in what has come unasked: only ``stop`` does."""
        while self._has_line():
            self._parse(self._line())

    def _has_line(self) -> bool:
        if b"\n" in self._buffer:
            return True
        ready, _, _ = select.select([self._answers], [], [], 0)
        if ready:
            self._read_more()
        return b"\n" in self._buffer

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            self._read_more()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _read_more(self) -> None:
        data = os.read(self._answers, _READ_BYTES)
        if not data:
            raise NodeGone
        self._buffer += data

    def _parse(self, line: bytes) -> dict[str, Any] | None:
        said: dict[str, Any] = json.loads(line)
        if said.get("lc") == "stop":
            self._stopping = True
            return None
        return said
