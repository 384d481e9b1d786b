"""One evaluation in a fresh sandbox gives losses, or the fault by its name."""

from pathlib import Path

import pytest

from lc_node.chain.transactions import Fault
from lc_node.chain.types import MillisSpan
from lc_node.runtime.evaluator import evaluate_request
from lc_node.runtime.trainer import train_request
from tests.runtime.bench import program_bench


async def test_the_losses_are_what_was_written_to_the_last_digit(tmp_path: Path) -> None:
    bench = program_bench(tmp_path, """print('{"lc": "losses", "values": [0.1, 2e-9, -3]}')""")

    assert (await bench.evaluate(b"m")).losses == (100_000_000, 2, -3_000_000_000)


async def test_the_loss_is_the_mean_rounded_down(tmp_path: Path) -> None:
    bench = program_bench(tmp_path, "say(lc='losses', values=[1e-9, 2e-9])")

    assert (await bench.evaluate(b"m")).loss == 1


async def test_an_evaluation_is_given_the_model(tmp_path: Path) -> None:
    read = "size = len(open(os.environ['LC_IN'] + '/model', 'rb').read())"
    bench = program_bench(tmp_path, read, "say(lc='losses', values=[size])")

    assert (await bench.evaluate(b"12345")).losses == (5_000_000_000,)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("pass", Fault.BAD_OUTPUT),
        ("print('0.0')", Fault.BAD_OUTPUT),
        ("say(lc='losses', values=[])", Fault.BAD_OUTPUT),
        ("say(lc='losses', values=[float('nan')])", Fault.BAD_OUTPUT),
        ("say(lc='losses', values=[1e300])", Fault.BAD_OUTPUT),
        ("say(lc='begin', trial=0)", Fault.BAD_OUTPUT),
        ("say(lc='losses', values=[1]); say(lc='losses', values=[0])", Fault.BAD_OUTPUT),
        ("say(lc='losses', values=[0]); sys.exit(1)", Fault.CRASHED),
        ("say(lc='losses', values=[0]); os.abort()", Fault.CRASHED),
    ],
)
async def test_what_is_no_evaluation_is_a_fault_by_its_name(
    tmp_path: Path, line: str, fault: Fault
) -> None:
    evaluation = await program_bench(tmp_path, line).evaluate(b"m")

    assert (evaluation.fault, evaluation.losses, evaluation.loss) == (fault, (), None)


async def test_all_nodes_evaluate_with_the_same_seed(tmp_path: Path) -> None:
    read = "seed = json.load(open(os.environ['LC_IN'] + '/job.json'))['seed']"
    bench = program_bench(tmp_path, read, "say(lc='losses', values=[seed])")

    assert (await bench.evaluate(b"m")).losses == (await bench.evaluate(b"n")).losses


def test_evaluations_come_before_trainings_on_a_busy_processor(tmp_path: Path) -> None:
    assignment = program_bench(tmp_path, "").assignment

    assert train_request(assignment, MillisSpan(1_000)).is_background
    assert not evaluate_request(assignment, tmp_path / "model").is_background
