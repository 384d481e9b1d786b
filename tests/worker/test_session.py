"""A training's conversation, told as steps."""

import json
from itertools import product
from typing import get_args

import pytest

from lc_node.chain.transactions import Fault
from lc_node.chain.types import ByteCount, Digest, JobId, Millis, MillisSpan, NanoLoss, PublicKey
from lc_node.worker.contract import EndState, FloatSpace, TrainMessage
from lc_node.worker.exchange import (
    AskSearch,
    BeginTrial,
    Drawn,
    EndTrial,
    Input,
    Judged,
    Kill,
    Leader,
    Line,
    Log,
    NotDrawn,
    NotTaken,
    Output,
    Pause,
    SendLine,
    StopAsked,
    TakeModel,
    Taken,
    TellSearch,
    Tick,
)
from lc_node.worker.session import Terms, TrainSession
from lc_node.worker.transitions import TRANSITIONS, Phase

TERMS = Terms(
    job=JobId(Digest(bytes(32))),
    node=PublicKey(bytes(32)),
    until=Millis(100_000),
    trial_ms=MillisSpan(20_000),
    grace_ms=MillisSpan(5_000),
    model_bytes_max=ByteCount(1_000),
    open_trials_max=2,
    trials_max=4,
    failures_max=2,
)


class Talk:
    """A session and the time; remembers what was answered last."""

    def __init__(self) -> None:
        self.session = TrainSession(TERMS)
        self.now = 0

    def feed(self, event: Input) -> tuple[Output, ...]:
        return self.session.handle(event, Millis(self.now))

    def say(self, **fields: object) -> tuple[Output, ...]:
        return self.feed(Line(data=json.dumps(fields).encode()))

    def begin(self, trial: int = 1) -> dict[str, object]:
        return answer(self.say(lc="begin", trial=trial))

    def report(self, loss: float, trial: int = 1, **more: object) -> dict[str, object]:
        self.say(lc="report", trial=trial, step=0, loss=loss, **more)
        return answer(self.feed(Judged(trial=trial, hopeless=False)))

    def keep(self, loss: float, trial: int = 1) -> None:
        assert self.report(loss, trial)["send"] is True
        self.say(lc="model", trial=trial, file="m")
        self.feed(Taken(trial=trial))

    def end(self, trial: int = 1, state: str = "complete") -> dict[str, object]:
        return answer(self.say(lc="end", trial=trial, state=state))


def answer(outputs: tuple[Output, ...]) -> dict[str, object]:
    lines = [output for output in outputs if isinstance(output, SendLine)]
    assert len(lines) == 1
    said: dict[str, object] = json.loads(lines[0].data)
    return said


def test_the_table_knows_every_message_in_every_phase() -> None:
    assert set(TRANSITIONS) == set(product(Phase, get_args(TrainMessage)))


def test_a_trial_begins_with_a_seed_and_the_time_left() -> None:
    talk = Talk()

    search, line = talk.say(lc="begin", trial=7)

    assert search == BeginTrial(trial=7)
    assert answer((line,)).keys() == {"lc", "trial", "seed", "seconds_left"}
    assert answer((line,))["seconds_left"] == 20


def test_the_time_left_ends_with_the_training() -> None:
    talk = Talk()
    talk.now = 95_000

    assert talk.begin()["seconds_left"] == 5


def test_a_question_goes_to_the_search_and_its_value_back() -> None:
    talk = Talk()
    talk.begin()
    space = FloatSpace(low=0.0, high=1.0, log=False, step=None)

    asked = talk.say(lc="ask", trial=1, name="x", kind="float", low=0, high=1)

    assert asked == (AskSearch(trial=1, name="x", space=space),)
    assert answer(talk.feed(Drawn(trial=1, name="x", value=0.5)))["value"] == 0.5


def test_a_contradictory_question_ends_the_trial_as_failed() -> None:
    talk = Talk()
    talk.begin()
    talk.say(lc="ask", trial=1, name="x", kind="float", low=0, high=1)

    assert answer(talk.feed(NotDrawn(trial=1, text="no")))["code"] == "bad_ask"
    ended = talk.say(lc="end", trial=1, state="complete")
    assert ended[0] == EndTrial(trial=1, state=EndState.FAILED, loss=None)


def test_a_loss_goes_to_the_search_and_its_judgement_back() -> None:
    talk = Talk()
    talk.begin()

    told = talk.say(lc="report", trial=1, step=3, loss=0.5)

    assert told == (TellSearch(trial=1, step=3, loss=0.5),)
    reported = answer(talk.feed(Judged(trial=1, hopeless=True)))
    assert reported == {"lc": "reported", "trial": 1, "send": True, "stop": True, "best": None}


def test_a_model_is_taken_and_acknowledged() -> None:
    talk = Talk()
    talk.begin()
    talk.report(0.5)

    take = talk.say(lc="model", trial=1, file="m")

    assert take == (TakeModel(trial=1, file="m", hint=0.5),)
    assert answer(talk.feed(Taken(trial=1))) == {"lc": "taken", "trial": 1}


def test_a_model_that_could_not_be_taken_ends_the_trial() -> None:
    talk = Talk()
    talk.begin()
    talk.report(0.5)
    talk.say(lc="model", trial=1, file="m")

    assert answer(talk.feed(NotTaken(trial=1, text="a link")))["code"] == "bad_file"


def test_only_better_than_the_best_taken_is_worth_sending() -> None:
    talk = Talk()
    talk.begin()
    talk.keep(0.5)

    assert [talk.report(loss)["send"] for loss in (0.6, 0.5, 0.4)] == [False, False, True]


def test_what_was_not_sent_does_not_count_as_taken() -> None:
    talk = Talk()
    talk.begin()
    talk.report(0.1)

    assert talk.report(0.2)["send"] is True


def test_a_loss_must_be_under_the_bar() -> None:
    talk = Talk()
    talk.begin()
    talk.feed(Leader(best=NanoLoss(10**8), bar=NanoLoss(5 * 10**8)))

    assert [talk.report(loss)["send"] for loss in (0.5, 0.4)] == [False, True]


def test_a_leader_far_ahead_is_shown_and_stops_nobody() -> None:
    talk = Talk()
    talk.begin()
    talk.feed(Leader(best=NanoLoss(-(2**63)), bar=None))

    reported = talk.report(0.5)

    assert (reported["send"], reported["best"]) == (True, -(2**63) / 1e9)


def test_a_model_larger_than_allowed_is_not_worth_sending() -> None:
    talk = Talk()
    talk.begin()

    assert talk.report(0.5, bytes=1_001)["send"] is False


def test_another_trial_s_better_model_withdraws_the_worth_of_one_that_waits() -> None:
    talk = Talk()
    talk.begin(1)
    talk.begin(2)
    talk.say(lc="report", trial=1, step=0, loss=0.5)
    talk.keep(0.1, trial=2)

    assert answer(talk.feed(Judged(trial=1, hopeless=False)))["send"] is False


@pytest.mark.parametrize(
    "fields",
    [
        {"lc": "ask", "trial": 9, "name": "x", "kind": "int", "low": 1, "high": 2},
        {"lc": "model", "trial": 1, "file": "m"},
        {"lc": "begin", "trial": 1},
    ],
)
def test_what_is_out_of_order_is_refused(fields: dict[str, object]) -> None:
    talk = Talk()
    talk.begin()

    assert answer(talk.say(**fields))["code"] == "out_of_order"


def test_a_number_is_not_used_twice() -> None:
    talk = Talk()
    talk.begin()
    talk.end()

    assert talk.begin()["code"] == "out_of_order"


def test_a_second_word_before_the_answer_is_refused_and_the_late_answer_dropped() -> None:
    talk = Talk()
    talk.begin()
    talk.say(lc="report", trial=1, step=0, loss=0.5)

    assert answer(talk.say(lc="end", trial=1, state="complete"))["code"] == "out_of_order"
    assert talk.feed(Judged(trial=1, hopeless=False)) == ()


def test_trials_are_bounded_at_once_and_in_all() -> None:
    talk = Talk()
    talk.begin(1)
    talk.begin(2)

    assert talk.begin(3)["code"] == "too_many"
    talk.end(1)
    talk.end(2)
    talk.begin(3)
    talk.begin(4)
    assert [talk.end(3)["more"], talk.begin(5)["code"]] == [False, "too_many"]


def test_failures_in_a_row_end_the_training() -> None:
    talk = Talk()
    talk.begin(1)
    assert talk.end(1, "failed")["more"] is True
    talk.begin(2)

    assert talk.end(2, "failed")["more"] is False


def test_during_a_pause_a_trial_waits_for_its_beginning() -> None:
    talk = Talk()
    talk.feed(Pause(is_on=True))

    assert talk.say(lc="begin", trial=1) == ()
    talk.now = 60_000
    begun = talk.feed(Pause(is_on=False))
    assert begun[0] == BeginTrial(trial=1)
    assert answer(begun)["seconds_left"] == 20


def test_during_a_pause_what_has_begun_goes_on() -> None:
    talk = Talk()
    talk.begin(1)
    talk.feed(Pause(is_on=True))

    talk.keep(0.5)
    assert talk.end(1)["more"] is True


def test_a_trial_that_waits_cannot_ask_to_begin_again() -> None:
    talk = Talk()
    talk.feed(Pause(is_on=True))
    talk.say(lc="begin", trial=1)

    assert talk.begin(1)["code"] == "out_of_order"


def test_trials_that_wait_are_bounded() -> None:
    talk = Talk()
    talk.feed(Pause(is_on=True))
    talk.say(lc="begin", trial=1)
    talk.say(lc="begin", trial=2)

    assert talk.begin(3)["code"] == "too_many"


def test_a_stop_ends_the_wait_of_a_trial() -> None:
    talk = Talk()
    talk.feed(Pause(is_on=True))
    talk.say(lc="begin", trial=1)

    stop, refused = talk.feed(StopAsked())
    assert answer((stop,)) == {"lc": "stop"}
    assert answer((refused,))["code"] == "stopping"
    assert talk.begin(2)["code"] == "stopping"


def test_at_the_deadline_the_job_is_told_to_stop_once() -> None:
    talk = Talk()
    talk.now = 100_000

    assert answer(talk.feed(Tick())) == {"lc": "stop"}
    assert talk.feed(Tick()) == ()
    assert talk.begin()["code"] == "stopping"


def test_after_the_grace_time_it_is_killed_without_a_fault() -> None:
    talk = Talk()
    talk.feed(StopAsked())
    talk.now = 5_000

    (kill,) = talk.feed(Tick())

    assert isinstance(kill, Kill)
    assert kill.fault is Fault.NONE


def test_a_stopping_job_may_still_send_a_model_and_is_told_to_stop() -> None:
    talk = Talk()
    talk.begin()
    talk.feed(StopAsked())

    reported = talk.report(0.5)

    assert (reported["send"], reported["stop"], talk.end()["more"]) == (True, True, False)


def test_a_trial_over_its_time_is_told_to_stop_and_then_killed() -> None:
    talk = Talk()
    talk.begin()
    talk.now = 20_000
    assert talk.report(0.5)["stop"] is True
    talk.now = 25_000

    (kill,) = talk.feed(Tick())

    assert isinstance(kill, Kill)
    assert kill.fault is Fault.TIMED_OUT


@pytest.mark.parametrize("line", [b'{"lc":"bogus"}', b'{"lc":"losses","values":[0]}'])
def test_nonsense_kills_the_run_and_nothing_is_said_after(line: bytes) -> None:
    talk = Talk()

    (kill,) = talk.feed(Line(data=line))

    assert isinstance(kill, Kill)
    assert kill.fault is Fault.BAD_OUTPUT
    assert talk.say(lc="begin", trial=1) == ()


def test_other_lines_are_logs() -> None:
    assert Talk().feed(Line(data=b"epoch 1")) == (Log(data=b"epoch 1"),)
