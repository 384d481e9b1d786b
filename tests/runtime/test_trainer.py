"""Training drives a sandboxed job; the jobs here are plain programs that speak the contract themselves."""

from pathlib import Path

import pytest

from lc_node.chain.transactions import Fault
from lc_node.chain.types import NanoLoss
from lc_node.runtime.trainer import TakenModel
from lc_node.worker.exchange import Leader
from tests.runtime.bench import START, program_bench

GOOD = (
    "call(lc='begin', trial=1)",
    "call(lc='report', trial=1, step=0, loss=0.5)",
    "open(OUT + '/m', 'wb').write(b'model bytes')",
    "call(lc='model', trial=1, file='m')",
    "call(lc='end', trial=1, state='complete')",
)


async def test_a_model_worth_keeping_is_copied_while_the_job_runs(tmp_path: Path) -> None:
    bench = program_bench(tmp_path, *GOOD)

    training = await bench.train()

    assert training.fault is Fault.NONE
    assert [(m.trial, m.hint, m.file.path.read_bytes()) for m in bench.models] == [
        (1, 0.5, b"model bytes")
    ]


async def test_what_was_taken_stays_taken_when_the_job_dies(tmp_path: Path) -> None:
    bench = program_bench(tmp_path, *GOOD[:-1], "os._exit(9)")

    training = await bench.train()

    assert (training.fault, training.models) == (Fault.CRASHED, 1)


async def test_models_left_by_a_training_that_was_cut_off_are_in_nobodys_way(
    tmp_path: Path,
) -> None:
    bench = program_bench(tmp_path, *GOOD)
    await bench.train()

    again = await bench.train()

    assert (again.fault, again.models) == (Fault.NONE, 1)


async def test_lines_that_are_no_messages_are_logs(tmp_path: Path) -> None:
    bench = program_bench(tmp_path, "print('epoch 1')")

    await bench.train()

    assert bench.logs == [b"epoch 1"]


async def test_a_broken_message_ends_the_training_as_bad_output(tmp_path: Path) -> None:
    bench = program_bench(
        tmp_path, """print('{"lc": "report", "loss": NaN}', flush=True)""", "hear()"
    )

    assert (await bench.train()).fault is Fault.BAD_OUTPUT


async def test_an_absurd_question_is_answered_and_the_job_goes_on(tmp_path: Path) -> None:
    bench = program_bench(
        tmp_path,
        "call(lc='begin', trial=1)",
        "said = call(lc='ask', trial=1, name='x', kind='float', low=2, high=1)",
        "print(said['code'])",
        "print(call(lc='end', trial=1, state='failed')['more'])",
    )

    training = await bench.train()

    assert (training.fault, bench.logs) == (Fault.NONE, [b"bad_ask", b"True"])


async def test_a_link_in_the_place_of_a_model_is_refused(tmp_path: Path) -> None:
    bench = program_bench(
        tmp_path,
        *GOOD[:2],
        "os.symlink('/etc/hostname', OUT + '/m')",
        "print(call(lc='model', trial=1, file='m')['code'])",
    )

    await bench.train()

    assert (bench.models, bench.logs) == ([], [b"bad_file"])


async def test_a_loss_behind_the_bar_is_not_worth_sending(tmp_path: Path) -> None:
    bench = program_bench(
        tmp_path, GOOD[0], "said = call(lc='report', trial=1, step=0, loss=0.5)", "print(said)"
    )
    bench.leader = Leader(best=NanoLoss(250_000_000), bar=NanoLoss(500_000_000))

    await bench.train()

    assert b"'send': False" in bench.logs[0]
    assert b"'best': 0.25" in bench.logs[0]


async def test_a_job_that_ignores_stop_is_killed_after_the_grace_time(tmp_path: Path) -> None:
    bench = program_bench(tmp_path, *GOOD[:-1], "while True: hear()")

    async def keep(model: TakenModel) -> None:
        await bench.keep(model)
        bench.clock.time += 700_000

    training = await bench.train(keep)

    assert (training.fault, training.models) == (Fault.NONE, 1)
    assert "over" in training.text


async def test_an_error_of_the_node_reaches_the_caller_as_it_is(tmp_path: Path) -> None:
    bench = program_bench(tmp_path, *GOOD)

    async def fail(_model: TakenModel) -> None:
        raise LookupError("no room")

    with pytest.raises(LookupError, match="no room"):
        await bench.train(fail)


async def test_a_trial_waits_until_the_pause_is_over(tmp_path: Path) -> None:
    wait = "print('waiting', flush=True)"
    bench = program_bench(
        tmp_path,
        *("say(lc='begin', trial=1)", wait, wait),
        "print(hear()['seconds_left'])",
        GOOD[-1],
    )

    def is_paused() -> bool:
        if bench.logs:
            bench.clock.time = START + 100_000
        return not bench.logs

    bench.is_paused = is_paused

    await bench.train()
    assert bench.logs == [b"waiting", b"waiting", b"500"]
