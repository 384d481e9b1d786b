"""The magics in a real IPython, in front of a real door: what is shown, and every slip in one line."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_node.api import calls, schema
from lc_node.api.schema import Phase
from tests.api.sample_service import JOB, OTHER_JOB, summary
from tests.jupyter.desk import Desk, bid_of, story_of
from tests.jupyter.shells import Shell

SUBMIT = "%%lc_submit --bounty 5 --expires 10m"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%lc_status", "height     7 (following)"),
        ("%lc_wallet", "balance           100"),
        ("%lc_peers", "No peers are connected"),
        ("%lc_jobs", "aaaaaaaaaaaa  digits (mine)"),
        ("%lc_jobs --all", "bbbbbbbbbbbb"),
        ("%lc_job aaaa", "open, 20 credits"),
        ("%lc_models aaaa", "No model is known yet: bids are opened when bidding is over."),
        (
            "%lc_top_up aaaa 2.5",
            "Added 2.5 credits to the bounty of job aaaaaaaaaaaa, at height 7.",
        ),
        ("%lc_extend aaaa 10m", "Bidding ends 10m from now for job aaaaaaaaaaaa"),
        ("%lc_cancel aaaa", "Cancelled job aaaaaaaaaaaa, at height 7."),
    ],
)
def test_a_command_says(line: str, said: str, notebook: Shell, desk: Desk) -> None:
    desk.tell(story_of())

    assert said in notebook.run(line).out


def test_every_table_is_html_as_well(notebook: Shell, desk: Desk) -> None:
    desk.tell(story_of())
    lines = ("%lc_status", "%lc_wallet", "%lc_jobs", "%lc_job aaaa")

    assert all("<table>" in notebook.run(line).html for line in lines)


def test_jobs_that_are_over_are_left_out(notebook: Shell, desk: Desk) -> None:
    assert desk.home.exists()
    assert OTHER_JOB[:12] not in notebook.run("%lc_jobs").out


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("%lc_status now", "unrecognized arguments: now; %lc_status? explains it."),
        ("%lc_jobs --mien", "%lc_jobs has no option --mien; did you mean --mine?"),
        ("%lc_jobs --frobnicate", "has no option --frobnicate; %lc_jobs? lists them"),
        ("%lc_job zz", "'zz' is no job id; %lc_jobs --all lists them."),
        ("%lc_job " + "a" * 65, "is no job id"),
        ("%lc_job ''", "'' is no job id"),
        ("%lc_job dd", "No job begins with dd; %lc_jobs --all lists them."),
        ("%lc_job aaab", "No job begins with aaab; did you mean aaaaaaaaaaaa (digits)?"),
        ("%lc_wait", "No job was posted from this notebook yet; name one: aaaaaaaaaaaa (digits)"),
        ("%lc_submit --bounty 5", "A cell is posted by %%lc_submit, with two signs"),
        (SUBMIT + " --image x\n1", "--image goes with an image (%lc_submit); leave it out here."),
        ("%lc_submit --image x --with y", "--with goes with a cell (%%lc_submit); leave it out"),
        ("%lc_submit --image x", "give --bounty and --expires; write for example"),
        ("%lc_submit --image x --bounty 1 --expires 1m", "No image 'x' in your node"),
        ("%lc_pull", "Something is missing; write for example %lc_pull model"),
        ("%lc_pull 2x", "'2x' is no variable name; write for example %lc_pull model"),
        ("%lc_pull aaaa class", "'class' is no variable name"),
        ("%lc_pull a b c", "'a b c' is too much; write for example %lc_pull model"),
        ("%lc_pull a b --to f", "'a b' is too much; write for example %lc_pull [job] --to"),
        ("%lc_pull a b --too f", "has no option --too; did you mean --to?"),
        ("%lc_pull aaaa model", "Job aaaaaaaaaaaa is not settled yet (open, bidding ends in"),
        ("%lc_top_up aaaa -1", "the amount -1 is no amount of credits above 0"),
        ("%lc_top_up aaaa much", "the amount much is no amount of credits"),
        ("%lc_top_up", "Something is missing; write for example %lc_top_up 5"),
        ("%lc_extend aaaa soon", "the time soon is no duration"),
        ("%%lc_submit\n1", "give --bounty and --expires; write for example"),
        ("%%lc_submit --bounty 5\n1", "give --expires; write for example %%lc_submit"),
        (SUBMIT + " --bountyy 5\n1", "has no option --bountyy; did you mean --bounty?"),
        (SUBMIT + " --expire=5m\n1", "has no option --expire; did you mean --expires?"),
        (SUBMIT + " --bounty 0\n1", "--bounty 0 is no amount of credits above 0"),
        (SUBMIT + " --bounty -5\n1", "--bounty -5 is no amount of credits above 0"),
        (SUBMIT + " --bounty much\n1", "--bounty much is no amount of credits"),
        (SUBMIT + " --bounty\n1", "argument --bounty: expected one argument; %"),
        (SUBMIT + " --expires 10\n1", "--expires 10 is no duration in s, m, h or d"),
        (SUBMIT + " --trial-time 0s\n1", "--trial-time 0s is no duration"),
        (SUBMIT + " --evaluate-time x\n1", "--evaluate-time x is no duration"),
        (SUBMIT + " --check-time x\n1", "--check-time x is no duration"),
        (SUBMIT + " --memory 2X\n1", "--memory 2X is no size in K, M, G or T"),
        (SUBMIT + " --disk none\n1", "--disk none is no size"),
        (SUBMIT + " --model-bytes 0\n1", "--model-bytes 0 is no size"),
        (SUBMIT + " --cpus 0\n1", "--cpus 0 is no number of CPUs"),
        (SUBMIT + " --tolerance 1%\n1", "--tolerance 1% is no tolerance in parts per million"),
        (SUBMIT + " --format zip\n1", "--format zip is unknown; choose one of skops, npz"),
        (SUBMIT + " --name ''\n1", "--name takes one line of 1 to 120 characters"),
        (SUBMIT + " --name 'two words\n1", "No closing quotation; %"),
        (SUBMIT + " --bounty 1000\n1", "Not enough credits: bounty 1,000 + fee 0.3 exceed"),
    ],
)
def test_a_slip_is_one_line_that_names_the_fix(
    cell: str, why: str, notebook: Shell, desk: Desk
) -> None:
    desk.tell(story_of())
    ran = notebook.run(cell)

    assert ran.is_one_line
    assert why in ran.err
    assert desk.desk.posted == []


def test_without_a_node_the_message_says_how_to_start_one(
    notebook: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_NODE", str(tmp_path / "nowhere"))
    ran = notebook.run("%lc_status")

    assert ran.is_one_line
    assert "Start one with `lc-node run` (in a notebook: %lc_start), or set LC_NODE" in ran.err


def test_without_a_node_the_cell_is_not_even_run(
    notebook: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_NODE", str(tmp_path / "nowhere"))
    ran = notebook.run(f"{SUBMIT}\nx = 1")

    assert ran.is_one_line
    assert "x" not in notebook.names


def test_a_job_that_two_begin_alike_is_asked_for_with_their_names(
    notebook: Shell, desk: Desk
) -> None:
    desk.service.summaries.append(summary(schema.JobId("ab" * 32)))
    ran = notebook.run("%lc_job a")

    assert ran.is_one_line
    assert "2 jobs begin with a: aaaaaaaaaaaa (digits), abababababab (digits); give" in ran.err


def test_a_refusal_of_the_chain_is_one_line_and_the_next_command_works(
    notebook: Shell, desk: Desk
) -> None:
    desk.tell(story_of(bids=[bid_of("lc1other", 5)]))
    ran = notebook.run("%lc_cancel aaaa")

    assert ran.is_one_line
    assert "the job has a bid: wait until it expires" in ran.err
    assert notebook.run("%lc_status").ok


def test_a_job_that_the_node_has_forgotten_is_one_line(notebook: Shell, desk: Desk) -> None:
    assert desk.home.exists()
    ran = notebook.run("%lc_job aaaa")

    assert ran.is_one_line
    assert "no job aaaaaaaa on this chain" in ran.err


def test_the_amount_of_a_top_up_arrives_in_micro_credits(notebook: Shell, desk: Desk) -> None:
    desk.tell(story_of())
    notebook.run("%lc_top_up aaaa 0.5")

    assert desk.desk.asked == [calls.TopUp(job=JOB, amount=schema.MicroCredits(500_000))]


def test_waiting_for_a_job_that_is_over_shows_its_story(notebook: Shell, desk: Desk) -> None:
    desk.tell(story_of(Phase.SETTLED, job=OTHER_JOB, winner=schema.Address("lc1winner")))

    assert "Won by lc1winner" in notebook.run("%lc_wait bb").out


def test_a_refunded_job_has_no_model_and_says_why(notebook: Shell, desk: Desk) -> None:
    refunded = replace(story_of(Phase.REFUNDED), reason_text="no bids")
    desk.tell(refunded)
    ran = notebook.run("%lc_pull aaaa model")

    assert ran.is_one_line
    assert "has no model to pull, it was refunded: no bids. Post it again" in ran.err


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("%lc_jbos", "There is no %lc_jbos; did you mean %lc_jobs?"),
        ("%%lc_sumbit --bounty 5\n1", "There is no %%lc_sumbit; did you mean %%lc_submit?"),
        ("%lc_xyzzy", "There is no %lc_xyzzy; Tab behind %lc_ lists all"),
    ],
)
def test_a_mistyped_command_is_answered_with_the_one_that_was_meant(
    cell: str, why: str, notebook: Shell
) -> None:
    assert notebook.run(cell).out == f"UsageError: {why}\n"


def test_of_a_cell_with_a_mistyped_command_nothing_is_run(notebook: Shell) -> None:
    ran = notebook.run("x = 1\n%lc_jbos")

    assert not ran.ok
    assert "x" not in notebook.names


def test_a_text_that_looks_like_a_command_is_left_alone(notebook: Shell) -> None:
    assert notebook.run("x = '''\n%lc_jbos\n'''\nprint(x)").out == "\n%lc_jbos\n\n"


@pytest.mark.parametrize("asked", ["%lc_submit?", "%%lc_submit?"])
def test_a_question_mark_explains_a_command_with_its_options(asked: str, notebook: Shell) -> None:
    out = notebook.run(asked).out

    assert "--trial-time TRIAL_TIME" in out
    assert "the longest trial (default: 10m)" in out
    assert ".lcignore" in out


def test_help_lists_the_options(notebook: Shell) -> None:
    magics = notebook.ipython.magics_manager.magics

    assert "--check-time" in str(magics["cell"]["lc_submit"].__doc__)


def test_the_page_of_commands_names_every_command(notebook: Shell) -> None:
    page = (Path(__file__).parents[2] / "docs" / "NOTEBOOK.md").read_text(encoding="utf-8")
    magics = notebook.ipython.magics_manager.magics
    ours = {name for names in magics.values() for name in names if name.startswith("lc_")}

    assert {
        name for name in ours if not re.search(rf"^\| .*`%%?{name}\b", page, re.MULTILINE)
    } == set()


def test_the_extension_can_be_loaded_again(notebook: Shell, desk: Desk) -> None:
    assert desk.home.exists()
    notebook.run("%lc_status")

    assert notebook.run("%reload_ext lc_jupyter").ok
    assert notebook.run("%lc_status").ok
