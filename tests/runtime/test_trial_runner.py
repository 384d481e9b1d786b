"""Programs that know nothing of us are trained and evaluated across the walls of the real sandbox."""

import asyncio
import re
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import Fault
from lc_node.chain.types import Millis, NanoLoss
from lc_node.ports.images import PreparedImage
from lc_node.ports.sandbox import Capabilities, Run, RunRequest, Sandbox, WorkerLost
from lc_node.runtime.trainer import TakenModel
from lc_node.worker.exchange import Leader
from tests.adapters.jobs import docker_host, sandbox_called
from tests.adapters.rootfs import ENVIRONMENT, PYTHON, build_python_rootfs
from tests.runtime.bench import Bench, HandClock

PROGRAM = """
import os, random
if os.environ.get("VALIDATION") == "VALIDATION":
    print(float(open("/tmp/model").read()) / 2)
else:
    random.seed(int(os.environ["LC_SEED"]))
    loss = random.random()
    open("/tmp/model", "w").write(repr(loss))
    print("trained", loss)
    print(loss)
"""
SAVE = "open('/tmp/model', 'w').write('1')\n"

Benches: TypeAlias = Callable[..., Bench]


@pytest.fixture(scope="module")
def rootfs() -> Iterator[Path]:
    """A root file system with an interpreter, readable to everybody."""
    with tempfile.TemporaryDirectory(prefix="lc-tests-") as folder:
        Path(folder).chmod(0o755)
        yield build_python_rootfs(Path(folder) / "rootfs")


@pytest.fixture
def bench_of(rootfs: Path) -> Iterator[Benches]:
    """Benches for a program's text."""
    with tempfile.TemporaryDirectory(prefix="lc-tests-") as folder:
        Path(folder).chmod(0o755)

        def make(
            text: str,
            *,
            contract: Contract = Contract.STDOUT_1,
            models_wanted: int = 1,
            sandbox: str = "bubblewrap-root",
        ) -> Bench:
            argv = (PYTHON, "-I", "-S", "-c", text)
            return Bench(
                Path(folder),
                PreparedImage(rootfs=rootfs, argv=argv, environment=ENVIRONMENT),
                "raw",
                sandbox=sandbox_called(sandbox, f"tests-{uuid.uuid4().hex}"),
                models_wanted=models_wanted,
                contract=contract,
            )

        yield make


async def test_the_loss_is_the_last_line_and_the_model_is_in_tmp(bench_of: Benches) -> None:
    bench = bench_of(PROGRAM)

    training = await bench.train()

    assert (training.fault, training.models) == (Fault.NONE, 1), training.outcome.log_tail
    assert bench.models[0].hint == pytest.approx(float(bench.models[0].file.path.read_text()))


async def test_a_model_is_worth_what_its_evaluation_prints(bench_of: Benches) -> None:
    evaluation = await bench_of(PROGRAM).evaluate(b"0.5")

    assert evaluation.losses == (250_000_000,), evaluation.outcome.log_tail


PAGE = (Path(__file__).parents[2] / "docs" / "CONTRACT.md").read_text(encoding="utf-8")


async def test_the_program_of_the_page_is_trained_and_evaluated(bench_of: Benches) -> None:
    (text,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    bench = bench_of(text)

    training = await bench.train()
    evaluation = await bench.evaluate(bench.models[0].file.path)

    assert training.fault is Fault.NONE, training.outcome.log_tail
    assert evaluation.loss == pytest.approx(bench.models[0].hint * 1e9, abs=1)


@pytest.mark.skipif(not docker_host(), reason="no engine; scripts/ensure-docker starts one")
async def test_an_engine_trains_and_evaluates_as_well(bench_of: Benches) -> None:
    bench = bench_of(PROGRAM, sandbox="docker")

    training = await bench.train()
    evaluation = await bench.evaluate(bench.models[0].file.path)

    assert training.fault is Fault.NONE, training.outcome.log_tail
    assert evaluation.loss == pytest.approx(bench.models[0].hint / 2 * 1e9, abs=1)


async def test_a_score_counts_as_its_negative(bench_of: Benches) -> None:
    bench = bench_of(PROGRAM, contract=Contract.STDOUT_1_NEGATE)

    assert (await bench.evaluate(b"0.5")).losses == (-250_000_000,)


async def test_trials_follow_each_other_with_other_seeds_and_better_models(
    bench_of: Benches,
) -> None:
    bench = bench_of(PROGRAM, models_wanted=3)

    training = await bench.train()

    hints = [model.hint for model in bench.models]
    assert (training.models, training.fault) == (3, Fault.NONE)
    assert hints == sorted(hints, reverse=True)
    assert len(set(hints)) == 3


async def test_all_evaluations_have_one_seed(bench_of: Benches) -> None:
    bench = bench_of("import os; print(os.environ['LC_SEED'])")

    assert (await bench.evaluate(b"m")).losses == (await bench.evaluate(b"n")).losses


async def test_what_is_printed_above_the_last_line_is_a_log(bench_of: Benches) -> None:
    bench = bench_of(PROGRAM)

    await bench.train()

    assert [line.partition(b" ")[0] for line in bench.logs[:1]] == [b"trained"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"{SAVE}print('done')", Fault.BAD_OUTPUT),
        (f"{SAVE}print(float('nan'))", Fault.BAD_OUTPUT),
        (SAVE, Fault.BAD_OUTPUT),
        ("print(0.5)", Fault.BAD_OUTPUT),
        ("import os; os.symlink('/etc/hostname', '/tmp/model'); print(0.5)", Fault.BAD_OUTPUT),
        ("open('/tmp/model', 'wb').write(bytes(100_001)); print(0.5)", Fault.BAD_OUTPUT),
        (f"{SAVE}print(0.5); raise SystemExit(1)", Fault.CRASHED),
        (f"{SAVE}print(0.5, flush=True); import os; os.abort()", Fault.CRASHED),
        ("import sys\nwhile True: sys.stdout.write('a' * 4096)", Fault.OVERSIZE),
    ],
)
async def test_a_program_that_breaks_the_contract_again_and_again_has_a_fault(
    bench_of: Benches, text: str, fault: Fault
) -> None:
    training = await bench_of(text).train()

    assert (training.fault, training.models) == (fault, 0)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("print('done')", Fault.BAD_OUTPUT),
        ("pass", Fault.BAD_OUTPUT),
        ("print(0.5); raise SystemExit(1)", Fault.CRASHED),
    ],
)
async def test_an_evaluation_that_breaks_the_contract_has_a_fault(
    bench_of: Benches, text: str, fault: Fault
) -> None:
    evaluation = await bench_of(text).evaluate(b"m")

    assert (evaluation.fault, evaluation.losses) == (fault, ())


async def test_a_model_that_runs_code_decides_what_is_printed_hence_nobody_vouches(
    bench_of: Benches,
) -> None:
    bench = bench_of("exec(open('/tmp/model').read())\nprint(0.5)")

    evaluation = await bench.evaluate(b"import os; print(0, flush=True); os._exit(0)")

    assert evaluation.losses == (0,)


async def test_an_evaluation_cannot_change_the_model(bench_of: Benches) -> None:
    bench = bench_of("open('/tmp/model', 'w').write('better')\nprint(0)")

    evaluation = await bench.evaluate(b"m")

    assert evaluation.fault is Fault.CRASHED
    assert (bench.folder / "given-model").read_bytes() == b"m"


class LosesMachines:
    """A sandbox whose machine is gone at the end of the first runs."""

    def __init__(self, inside: Sandbox, losses: int) -> None:
        self._inside = inside
        self.left = losses
        self.seeds: list[str] = []

    async def probe(self) -> Capabilities:
        return await self._inside.probe()

    async def reap(self) -> None:
        await self._inside.reap()

    @asynccontextmanager
    async def open(self, request: RunRequest) -> AsyncIterator[Run]:
        self.seeds.append(request.environment["LC_SEED"])
        async with self._inside.open(request) as run:
            if self.left:
                self.left -= 1
                raise WorkerLost("the machine is gone")
            yield run


async def test_a_trial_whose_machine_is_lost_is_run_again_with_its_seed(
    bench_of: Benches,
) -> None:
    bench = bench_of(PROGRAM)
    bench.sandbox = sandbox = LosesMachines(bench.sandbox, losses=2)

    training = await bench.train()

    assert (training.fault, training.models) == (Fault.NONE, 1)
    assert len(set(sandbox.seeds[:3])) == 1


async def test_a_training_that_loses_one_machine_after_the_other_gives_up(
    bench_of: Benches,
) -> None:
    bench = bench_of(PROGRAM)
    bench.sandbox = LosesMachines(bench.sandbox, losses=3)

    with pytest.raises(WorkerLost):
        await bench.train()


class QuickClock(HandClock):
    """A clock whose sleepers look again at once, while the time stands still."""

    async def sleep_until(self, at: Millis) -> None:
        await asyncio.sleep(0)


async def test_a_trial_that_runs_on_is_killed_when_the_training_ends(bench_of: Benches) -> None:
    bench = bench_of("import time; print('up', flush=True); time.sleep(600)")
    bench.clock = QuickClock()

    def is_paused() -> bool:
        if bench.logs:
            bench.stop.set()
        return False

    bench.is_paused = is_paused

    training = await bench.train()

    assert (training.fault, training.models) == (Fault.NONE, 0)
    assert "over" in training.text


async def test_a_seed_that_changes_nothing_ends_the_training(bench_of: Benches) -> None:
    training = await bench_of(f"{SAVE}print(0.5)", models_wanted=1_000).train()

    assert (training.fault, training.models) == (Fault.NONE, 1)
    assert "LC_SEED" in training.text


async def test_no_trial_begins_while_the_owner_wants_the_machine_alone(bench_of: Benches) -> None:
    bench = bench_of(PROGRAM)
    bench.clock = QuickClock()
    looks = iter([True] * 3)
    runs_while_paused = []

    def is_paused() -> bool:
        runs_while_paused.append(bool(bench.logs))
        return next(looks, False)

    bench.is_paused = is_paused

    training = await bench.train()

    assert training.models == 1
    assert runs_while_paused[:3] == [False] * 3


async def test_a_model_behind_the_bar_is_left(bench_of: Benches) -> None:
    bench = bench_of(f"{SAVE}print(0.5)")
    bench.leader = Leader(best=NanoLoss(0), bar=NanoLoss(500_000_000))

    training = await bench.train()

    assert (training.fault, training.models) == (Fault.NONE, 0)


async def test_an_error_of_the_node_reaches_the_caller_as_it_is(bench_of: Benches) -> None:
    async def fail(_model: TakenModel) -> None:
        raise LookupError("no room")

    with pytest.raises(LookupError, match="no room"):
        await bench_of(PROGRAM).train(fail)
