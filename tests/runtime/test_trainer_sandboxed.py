"""The same conversation across the walls of the real sandbox, with the contract's own folders."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import pytest

from lc_jupyter.runner import layout
from lc_jupyter.runner.plain import decode
from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.chain.transactions import Fault
from lc_node.ports.images import PreparedImage
from tests.adapters.rootfs import ENVIRONMENT, PYTHON, build_python_rootfs
from tests.runtime.bench import Bench
from tests.runtime.process_sandbox import write_payload, write_runner

CELL = """
import os
def train(trial):
    width = trial.suggest_int("width", 3, 3)
    assert not os.access("/lc/work", os.W_OK) and not os.access("/lc/in/job.json", os.W_OK)
    print("outside of the contract")
    trial.report(0.5, b"x" * width)
def evaluate(model):
    return [len(model), os.getuid() == 0]
"""


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A bench whose image holds an interpreter, the runner, cloudpickle and the cell; ``CELL`` unless it is given."""
    cell, model_format = getattr(request, "param", (CELL, "raw"))
    folder = Path(tempfile.mkdtemp(prefix="lc-tests-"))
    folder.chmod(0o755)
    rootfs = build_python_rootfs(folder / "rootfs")
    write_payload(rootfs / layout.WORK.lstrip("/"), cell, model_format)
    root = rootfs / layout.RUNNER_ROOT.lstrip("/")
    write_runner(root)
    shutil.copytree(Path(cloudpickle.__file__).parent, root / "cloudpickle")
    image = PreparedImage(
        rootfs=rootfs,
        argv=layout.entrypoint(PYTHON),
        environment={**ENVIRONMENT, **layout.ENVIRONMENT},
    )
    sandbox = BubblewrapSandbox(f"tests-{uuid.uuid4().hex}")
    yield Bench(folder, image, model_format, sandbox=sandbox, models_wanted=1)
    shutil.rmtree(folder)


async def test_a_cell_is_trained_and_evaluated_behind_walls(bench: Bench) -> None:
    training = await bench.train()
    assert training.fault is Fault.NONE, training.outcome.log_tail

    evaluation = await bench.evaluate(bench.models[0].file.path)

    assert evaluation.losses == (3_000_000_000, 0), evaluation.outcome.log_tail


class Harmful:
    """A model that leaves a trace and looks around while it is being loaded."""

    def __init__(self, trace: str) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, (HARM.format(trace=self.trace),)


HARM = "(open({trace!r}, 'w').close(), __import__('os'))[1]"
PREDICT = """
def predict(os, paths):
    os.system("touch /tmp/more")
    return [os.path.exists(path) for path in paths], os.getuid(), os.listdir("/tmp")
"""


@pytest.mark.parametrize("bench", [(CELL + PREDICT, "pickle")], indirect=True)
async def test_a_pickle_does_its_harm_behind_walls_while_it_predicts(
    bench: Bench, tmp_path: Path
) -> None:
    trace = Path("/tmp") / f"lc-harm-{uuid.uuid4().hex}"  # noqa: S108 - the sandbox's own, and here if it leaks
    (tmp_path / "mine").write_text("a file of this machine")

    predicted = await bench.predict(
        cloudpickle.dumps(Harmful(str(trace))), [str(trace), str(tmp_path / "mine")]
    )

    assert predicted.fault is Fault.NONE, predicted.outcome.log_tail
    found, user, files = decode(predicted.data)
    assert (found, user, trace.name in files) == ([True, False], 65534, True)
    assert not trace.exists()
