"""The stop button in real kernels of three versions: it ends the waiting at once, whatever the node does, and not the job.

The node is stopped and would never answer, so that nothing but the button can end a cell before its patience of ten minutes.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jupyter.kernels import Kernel
from tests.jupyter.older_kernels import NEWEST, VERSIONS, folder_with
from tests.jupyter.stoppable import StoppableNode

pytestmark = pytest.mark.slow

AT_ONCE_SECONDS = 5
"""Usually 0.1; a busy machine takes longer. Without the button a cell would wait for 600."""
GOES_ON = "No longer waiting; job aaaaaaaaaaaa goes on by itself. %lc_wait waits again."
PATIENT = (
    "%load_ext lc_jupyter\n%config LearningChain.silence_seconds = 600\nimport asyncio, lc_jupyter"
)
AWAITING = "asyncio.get_running_loop().call_soon(print, 'awaiting')\nawait job"
"""What is called soon is called once the cell gives its turn away."""


ASKING = """
from lc_jupyter.session import LearningChain
ask = LearningChain.status

def status(chain):
    print("asking")
    return ask(chain)

LearningChain.status = status
%lc_status
"""
"""Says that it asks from within the magic."""


@pytest.fixture(scope="module")
def node() -> Iterator[StoppableNode]:
    with tempfile.TemporaryDirectory(prefix="lct") as folder:
        started = StoppableNode(Path(folder))
        yield started
        started.kill()


@pytest.fixture(scope="module", params=[*VERSIONS, NEWEST])
def kernel(request: pytest.FixtureRequest, node: StoppableNode, layers: Path) -> Iterator[Kernel]:
    with tempfile.TemporaryDirectory(prefix="lct") as folder:
        started = Kernel(Path(folder), node.home, layers, folder_with(request.param))
        version = started.run("import ipykernel\nprint(ipykernel.__version__)").text
        assert version.startswith(request.param)
        assert started.run(PATIENT).status == "ok"
        yield started
        started.stop()


@pytest.fixture
def going(node: StoppableNode) -> Iterator[StoppableNode]:
    """Return the node, which is let go on at the end."""
    yield node
    node.go_on()


def test_a_cell_that_awaits_a_job_ends_at_once(kernel: Kernel, going: StoppableNode) -> None:
    kernel.run("job = lc_jupyter.connect().job('aaaa')")
    going.stop()
    cell = kernel.start(AWAITING)
    kernel.wait_shown(cell)
    reply = kernel.interrupt(cell)

    assert reply.seconds < AT_ONCE_SECONDS
    assert (reply.status, reply.name) == ("error", "CancelledError")
    assert reply.text.endswith(GOES_ON)
    assert kernel.run("1 + 1").text == "2"


def test_a_cell_that_waits_for_a_job_ends_at_once(kernel: Kernel, going: StoppableNode) -> None:
    cell = kernel.start("%lc_wait aaaa")
    kernel.wait_shown(cell)
    going.stop()
    reply = kernel.interrupt(cell)

    assert reply.seconds < AT_ONCE_SECONDS
    assert (reply.status, reply.name) == ("error", "UsageError")
    assert GOES_ON in reply.text
    assert kernel.run("1 + 1").text == "2"


def test_a_cell_that_asks_a_node_which_never_answers_ends_at_once(
    kernel: Kernel, going: StoppableNode
) -> None:
    going.stop()
    cell = kernel.start(ASKING)
    kernel.wait_shown(cell)
    reply = kernel.interrupt(cell)

    assert reply.seconds < AT_ONCE_SECONDS
    assert reply.status == "error"
    assert "Interrupted" in reply.text
    assert "Traceback" not in reply.text
