"""An evaluation says its losses once, and nothing else."""

import pytest

from lc_node.chain.transactions import Fault
from lc_node.worker.evaluation import EvaluateSession
from lc_node.worker.exchange import Kill, Log
from lc_node.worker.lines import BadLine

LOSSES = b'{"lc":"losses","values":[1]}'


def test_losses_are_kept() -> None:
    session = EvaluateSession()

    assert (session.handle(LOSSES), session.result()) == (None, (10**9,))


def test_silence_has_no_losses() -> None:
    with pytest.raises(BadLine, match="without saying"):
        EvaluateSession().result()


def test_other_lines_are_logs() -> None:
    assert EvaluateSession().handle(b"loading") == Log(data=b"loading")


@pytest.mark.parametrize("line", [LOSSES, b'{"lc":"begin","trial":0}', b'{"lc":"losses"}'])
def test_anything_more_ends_it_as_bad_output(line: bytes) -> None:
    session = EvaluateSession()
    session.handle(LOSSES)

    said = session.handle(line)

    assert isinstance(said, Kill)
    assert said.fault is Fault.BAD_OUTPUT
