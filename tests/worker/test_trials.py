"""Trial follows trial, each a container with a seed of its own, as long as there is use in it."""

from dataclasses import replace

import pytest

from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import Fault
from lc_node.chain.types import Digest, JobId, Millis, MillisSpan, NanoLoss
from lc_node.worker.exchange import (
    Kill,
    Leader,
    Line,
    Log,
    NotTaken,
    Pause,
    StopAsked,
    TakeModel,
    Taken,
    Tick,
)
from lc_node.worker.seeds import train_seed
from lc_node.worker.trials import (
    Finish,
    RunTrial,
    TrialEnded,
    TrialInput,
    TrialLost,
    TrialOutputs,
    TrialSession,
    TrialTerms,
)
from tests.worker.samples import ME

JOB = JobId(Digest(bytes(32)))
UNTIL = 100_000
TERMS = TrialTerms(
    job=JOB,
    node=ME,
    contract=Contract.STDOUT_1,
    until=Millis(UNTIL),
    trial_ms=MillisSpan(60_000),
)
GOOD = TrialEnded(fault=Fault.NONE, text="")
CRASH = TrialEnded(fault=Fault.CRASHED, text="exit code 1")


class Story:
    """A session and the time."""

    def __init__(self, terms: TrialTerms = TERMS) -> None:
        self.session = TrialSession(terms)
        self.now = 0

    def tell(self, event: TrialInput) -> TrialOutputs:
        return self.session.handle(event, Millis(self.now))

    def begin(self) -> RunTrial:
        (output,) = self.tell(Tick())
        assert isinstance(output, RunTrial)
        return output

    def end(self, line: str) -> TrialOutputs:
        """Let the running trial print a last line and exit with 0."""
        self.tell(Line(data=line.encode()))
        return self.tell(GOOD)

    def trial(self, line: str) -> TrialOutputs:
        """Let the running trial end, and take its model if it is wanted."""
        outputs = self.end(line)
        if isinstance(outputs[0], TakeModel):
            outputs = self.tell(Taken(trial=outputs[0].trial))
        return outputs


def begun(terms: TrialTerms = TERMS) -> Story:
    story = Story(terms)
    story.begin()
    return story


def test_the_first_trial_begins_at_once_with_a_seed_of_its_own() -> None:
    trial = Story().begin()

    assert trial == RunTrial(trial=0, seed=train_seed(JOB, ME, 0), span=MillisSpan(60_000))


def test_a_trial_gets_no_more_time_than_is_left() -> None:
    story = Story()
    story.now = UNTIL - 5

    assert story.begin().span == 5


def test_what_a_trial_prints_is_a_log() -> None:
    assert begun().tell(Line(data=b"epoch 1")) == (Log(data=b"epoch 1"),)


def test_the_model_of_the_first_good_trial_is_taken() -> None:
    assert begun().end("0.5") == (TakeModel(trial=0, file="model", hint=0.5),)


def test_after_a_model_was_taken_the_next_trial_has_another_seed() -> None:
    story = begun()
    story.end("0.5")

    assert story.tell(Taken(trial=0)) == (
        RunTrial(trial=1, seed=train_seed(JOB, ME, 1), span=MillisSpan(60_000)),
    )


@pytest.mark.parametrize(("loss", "is_taken"), [("0.4", True), ("0.5", False), ("0.6", False)])
def test_only_a_better_model_is_taken(loss: str, *, is_taken: bool) -> None:
    story = begun()
    story.trial("0.5")

    assert isinstance(story.end(loss)[0], TakeModel) is is_taken


def test_a_model_that_could_not_be_taken_is_no_best() -> None:
    story = begun()
    story.end("0.5")
    story.tell(NotTaken(trial=0, text="missing"))

    assert isinstance(story.end("0.6")[0], TakeModel)


@pytest.mark.parametrize(("bar", "is_taken"), [(500_000_001, True), (500_000_000, False)])
def test_a_model_behind_the_bar_is_left(bar: int, *, is_taken: bool) -> None:
    story = begun()
    story.tell(Leader(best=NanoLoss(0), bar=NanoLoss(bar)))

    assert isinstance(story.end("0.5")[0], TakeModel) is is_taken


def test_a_better_score_is_a_lower_loss() -> None:
    story = begun(replace(TERMS, contract=Contract.STDOUT_1_NEGATE))
    story.trial("0.8")

    assert story.end("0.9") == (TakeModel(trial=1, file="model", hint=-0.9),)


@pytest.mark.parametrize(
    ("end", "fault"),
    [
        (CRASH, Fault.CRASHED),
        (TrialEnded(fault=Fault.TIMED_OUT, text="late"), Fault.TIMED_OUT),
        (TrialEnded(fault=Fault.OVERSIZE, text="much"), Fault.OVERSIZE),
        (GOOD, Fault.BAD_OUTPUT),  # nothing was printed
    ],
)
def test_three_failures_in_a_row_are_the_end(end: TrialEnded, fault: Fault) -> None:
    story = begun()
    assert isinstance(story.tell(end)[0], RunTrial)
    assert isinstance(story.tell(end)[0], RunTrial)

    (finish,) = story.tell(end)

    assert isinstance(finish, Finish)
    assert finish.fault is fault


def test_three_trials_that_leave_no_model_are_the_end() -> None:
    story = begun()
    for loss in ("0.5", "0.4"):
        story.end(loss)
        story.tell(NotTaken(trial=0, text="missing"))
    story.end("0.3")

    (finish,) = story.tell(NotTaken(trial=0, text="missing"))

    assert finish == Finish(fault=Fault.BAD_OUTPUT, text="no model could be taken: missing")


@pytest.mark.parametrize("loss", ["0.4", "0.6"])
def test_a_good_trial_forgives_those_that_failed_before(loss: str) -> None:
    story = begun()
    story.trial("0.5")
    story.tell(CRASH)
    story.tell(CRASH)
    story.trial(loss)
    story.tell(CRASH)

    assert isinstance(story.tell(CRASH)[0], RunTrial)


def test_trials_that_print_the_same_loss_again_and_again_are_the_end() -> None:
    story = begun()
    for _ in range(3):
        assert isinstance(story.trial("0.5")[0], RunTrial)

    (finish,) = story.trial("0.5")

    assert finish == Finish(
        fault=Fault.NONE, text="its trials print one and the same loss: LC_SEED changes nothing"
    )


def test_another_loss_begins_the_count_of_equal_ones_anew() -> None:
    story = begun()
    for loss in ("0.5", "0.5", "0.5", "0.6", "0.6", "0.6"):
        assert isinstance(story.trial(loss)[0], RunTrial)


def test_no_job_has_more_trials_than_a_job_may_have() -> None:
    story = begun(replace(TERMS, trials_max=1))

    (finish,) = story.trial("0.5")

    assert isinstance(finish, Finish)
    assert "all the trials" in finish.text


def test_a_trial_is_killed_when_the_time_of_the_training_is_over() -> None:
    story = begun()
    story.now = UNTIL

    assert story.tell(Tick()) == (Kill(fault=Fault.NONE, text="the time of the training is over"),)


def test_a_trial_is_killed_when_the_node_wants_it_to_end() -> None:
    assert isinstance(begun().tell(StopAsked())[0], Kill)


def test_a_trial_is_killed_once() -> None:
    story = begun()
    story.tell(StopAsked())

    assert story.tell(StopAsked()) == ()


def test_a_killed_trial_is_nobodys_fault() -> None:
    story = begun()
    story.tell(StopAsked())

    (finish,) = story.tell(TrialEnded(fault=Fault.CRASHED, text="killed"))

    assert isinstance(finish, Finish)
    assert finish.fault is Fault.NONE


def test_a_trial_that_ends_too_late_is_nobodys_fault() -> None:
    story = begun()
    story.now = UNTIL

    (finish,) = story.tell(TrialEnded(fault=Fault.TIMED_OUT, text="late"))

    assert isinstance(finish, Finish)
    assert finish.fault is Fault.NONE


def test_time_that_passes_does_nothing_else() -> None:
    assert begun().tell(Tick()) == ()


def test_no_trial_begins_when_there_is_no_time() -> None:
    story = Story()
    story.now = UNTIL

    assert isinstance(story.tell(Tick())[0], Finish)


def test_no_trial_begins_during_a_pause() -> None:
    assert Story().tell(Pause(is_on=True)) == ()


def test_a_pause_that_ends_begins_the_next_trial() -> None:
    story = begun()
    story.tell(Pause(is_on=True))
    assert story.trial("0.5") == ()

    assert isinstance(story.tell(Pause(is_on=False))[0], RunTrial)


def test_a_pause_does_not_end_a_trial() -> None:
    assert begun().tell(Pause(is_on=True)) == ()


def test_nothing_else_happens_while_a_model_is_taken() -> None:
    story = begun()
    story.end("0.5")

    assert story.tell(Tick()) == ()


def test_a_trial_whose_machine_is_lost_is_run_again_with_its_seed() -> None:
    story = begun()
    story.tell(Line(data=b"0.1"))

    assert story.tell(TrialLost()) == (
        RunTrial(trial=0, seed=train_seed(JOB, ME, 0), span=MillisSpan(60_000)),
    )
    assert story.end("0.5") == (TakeModel(trial=0, file="model", hint=0.5),)


def test_a_trial_whose_machine_is_lost_with_its_model_is_run_again() -> None:
    story = begun()
    story.end("0.5")

    (again,) = story.tell(TrialLost())

    assert isinstance(again, RunTrial)
    assert again.trial == 0


def test_a_lost_trial_is_not_run_again_when_the_time_is_over() -> None:
    story = begun()
    story.now = UNTIL

    assert isinstance(story.tell(TrialLost())[0], Finish)


def test_nothing_follows_the_end() -> None:
    story = begun()
    story.tell(StopAsked())
    story.tell(GOOD)

    assert story.tell(Tick()) == ()
