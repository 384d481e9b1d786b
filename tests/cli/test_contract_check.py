"""An image is tried out against its contract, in the real sandbox; each way to break it is named with its remedy."""

import json
from pathlib import Path

import pytest

from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from tests.cli.shell_image import shell_image

pytestmark = pytest.mark.usefixtures("probed_once")

Capture = pytest.CaptureFixture[str]

BEGIN = """echo '{"lc":"begin","trial":0}'; read -r answer"""
ASK = """echo '{"lc":"ask","trial":0,"name":"x","kind":"int","low":1,"high":9}'; read -r answer"""
SAVE = "printf 12345678 > /lc/out/m"
REPORT = """echo '{"lc":"report","trial":0,"step":0,"loss":0.5}'; read -r answer"""
MODEL = """echo '{"lc":"model","trial":0,"file":"m"}'; read -r answer"""
END = """echo '{"lc":"end","trial":0,"state":"complete"}'; read -r answer"""
TRAINS = f"{BEGIN}\n{ASK}\n{SAVE}\n{REPORT}\n{MODEL}\n{END}"
READS = """read -r m < /lc/in/model || true
case $m in [0-9]*) ;; *) echo 'no model' >&2; exit 1;; esac"""
EIGHT = "[1,2,3,4,5,6,7,8]"
EVALUATES = f"""{READS}\necho '{{"lc":"losses","values":{EIGHT}}}'"""


def speaking(train: str = TRAINS, evaluate: str = EVALUATES) -> str:
    """Return the script of an image of contract lc/1."""
    return f"case $1 in train)\n{train}\n;; evaluate)\n{evaluate}\n;; esac"


PLAIN_TRAINS = "printf 0.25 > /tmp/model\necho training\necho 0.$LC_SEED"
PLAIN_EVALUATES = """read -r m < /tmp/model || true
case $m in 0.*) echo "$m";; *) echo 'no model' >&2; exit 1;; esac"""


def plain(train: str = PLAIN_TRAINS, evaluate: str = PLAIN_EVALUATES) -> str:
    """Return the script of an image of contract stdout/1."""
    return f'if [ "$VALIDATION" = VALIDATION ]; then\n{evaluate}\nelse\n{train}\nfi'


def checked(
    folder: Path, script: str, capsys: Capture, *options: str
) -> dict[str, dict[str, str]]:
    """Return the checklist by name; the exit code has to say whether it has a problem."""
    image = str(shell_image(folder, script))
    words = ("--memory", "64M", "--disk", "1M", "--model-bytes", "64K", "--seconds", "60s")
    code = run(["contract", "check", image, "--json", *words, *options])
    told = json.loads(capsys.readouterr().out)
    problems = [item for item in told["checks"] if item["verdict"] == "problem"]
    assert code == (Exit.REFUSED if problems else Exit.OK)
    assert told["fine"] is not bool(problems)
    assert all(item["fix"] for item in problems)
    return {item["name"]: item for item in told["checks"]}


STDOUT_1 = ("--contract", "stdout/1")


def test_an_image_that_speaks_as_it_should_has_no_problem(tmp_path: Path, capsys: Capture) -> None:
    found = checked(tmp_path, speaking(), capsys)

    assert {name: item["verdict"] for name, item in found.items()} == {
        **dict.fromkeys(("starts", "trains", "begins", "asks", "reports", "sends a model"), "ok"),
        **dict.fromkeys(("ends its trials", "stops", "keeps the order"), "ok"),
        **dict.fromkeys(("evaluates", "is repeatable", "reads the model"), "ok"),
        **dict.fromkeys(("limits", "label"), "ok"),
    }
    assert found["asks"]["text"] == "for x"
    assert found["evaluates"]["text"] == "8 losses, mean 4.5"


def test_the_checklist_is_for_people_too(tmp_path: Path, capsys: Capture) -> None:
    image = str(shell_image(tmp_path, speaking(evaluate="echo done")))

    assert run(["contract", "check", image]) == Exit.REFUSED
    lines = capsys.readouterr().out.splitlines()

    assert "ok      begins           once" in lines
    (at,) = [n for n, line in enumerate(lines) if line.startswith("PROBLEM evaluates")]
    assert "bad_output: it ended without saying 'losses'" in lines[at]
    assert lines[at + 1].strip() == "to change it: docs/CONTRACT.md says what may be printed"


@pytest.mark.parametrize(
    ("train", "name", "text"),
    [
        ("exit 0", "begins", "never"),
        ("echo oh >&2; exit 3", "trains", "crashed: exit code 3; its last words: oh"),
        ("""echo '{"lc":"hello"}'""", "trains", "bad_output: no message of lc/1"),
        (f"{BEGIN}\n{END}", "reports", "never"),
        (f"{BEGIN}\n{REPORT}\n{END}", "sends a model", "never"),
        (f"{BEGIN}\n{REPORT}\n{MODEL}\n{END}", "sends a model", "it was refused"),
        (f"{BEGIN}\n{REPORT}\n{MODEL}\n{END}", "keeps the order", "the node refused: bad_file"),
        (f"{REPORT}\n{TRAINS}", "keeps the order", "the node refused: out_of_order"),
    ],
)
def test_a_training_that_breaks_its_contract_is_told_what_to_change(
    tmp_path: Path, capsys: Capture, train: str, name: str, text: str
) -> None:
    item = checked(tmp_path, speaking(train=train), capsys)[name]

    assert item["verdict"] == "problem"
    assert text in item["text"]


@pytest.mark.slow
def test_an_image_that_goes_on_after_it_was_told_to_stop_is_named(
    tmp_path: Path, capsys: Capture
) -> None:
    train = f"{BEGIN}\n{SAVE}\n{REPORT}\n{MODEL}\nwhile :; do read -r line || :; done"

    assert checked(tmp_path, speaking(train=train), capsys)["stops"]["verdict"] == "problem"


@pytest.mark.parametrize(
    ("evaluate", "name", "verdict", "text"),
    [
        (f"{READS}; exit 4", "evaluates", "problem", "crashed: exit code 4"),
        ("""echo '{"lc":"losses","values":[0.5]}'""", "reads the model", "problem", "noise"),
        (
            f"""{READS}; echo '{{"lc":"losses","values":[]}}'""",
            "evaluates",
            "problem",
            "bad_output",
        ),
        (f"""{READS}; echo '{{"lc":"losses","values":[1]}}'""", "label", "note", "weak at best"),
    ],
)
def test_an_evaluation_that_breaks_its_contract_is_told_what_to_change(
    tmp_path: Path, capsys: Capture, evaluate: str, name: str, verdict: str, text: str
) -> None:
    item = checked(tmp_path, speaking(evaluate=evaluate), capsys)[name]

    assert item["verdict"] == verdict
    assert text in item["text"]


CLOCK = """read -r up idle < /proc/uptime
hundredths="${up%.*}${up#*.}"
echo '{"lc":"losses","values":['$((hundredths % 10000))']}'"""


def test_an_evaluation_that_reads_the_clock_is_not_repeatable(
    tmp_path: Path, capsys: Capture
) -> None:
    found = checked(tmp_path, speaking(evaluate=f"{READS}\n{CLOCK}"), capsys)

    assert found["is repeatable"]["verdict"] == "problem"


def test_a_format_that_can_run_code_is_never_verified(tmp_path: Path, capsys: Capture) -> None:
    found = checked(tmp_path, speaking(), capsys, "--format", "pickle")

    assert found["label"]["text"].startswith("unverified")


def test_without_a_model_there_is_nothing_to_evaluate(tmp_path: Path, capsys: Capture) -> None:
    found = checked(tmp_path, speaking(train="exit 0"), capsys)

    assert found["evaluates"]["verdict"] == "skipped"


def test_an_image_for_another_machine_does_not_start(tmp_path: Path, capsys: Capture) -> None:
    image = str(shell_image(tmp_path, architecture="arm64"))

    assert run(["contract", "check", image, "--json"]) == Exit.REFUSED
    (only,) = json.loads(capsys.readouterr().out)["checks"]
    assert "arm64" in only["text"]


def test_a_program_that_knows_nothing_of_us_has_no_problem(
    tmp_path: Path, capsys: Capture
) -> None:
    found = checked(tmp_path, plain(), capsys, *STDOUT_1)

    assert [item["name"] for item in found.values() if item["verdict"] != "ok"] == [
        "agrees",
        "label",
    ]
    assert found["evaluates"]["text"] == "loss 0.25"
    assert found["label"]["text"].startswith("unverified, whatever the format")


def test_a_score_is_shown_as_its_negative(tmp_path: Path, capsys: Capture) -> None:
    found = checked(tmp_path, plain(), capsys, *STDOUT_1, "--negate")

    assert found["evaluates"]["text"] == "loss -0.25"


@pytest.mark.parametrize(
    ("train", "name", "text"),
    [
        ("exit 5", "trains", "crashed: exit code 5"),
        ("printf x > /tmp/model; echo loss: 1", "prints its loss", "which is no number"),
        ("printf x > /tmp/model", "prints its loss", "it printed nothing"),
        ("echo 1", "leaves a model", "No such file"),
        ("printf '%070000d' 1 > /tmp/model; echo 1", "leaves a model", "at most 65536"),
    ],
)
def test_a_trial_that_breaks_its_contract_is_told_what_to_change(
    tmp_path: Path, capsys: Capture, train: str, name: str, text: str
) -> None:
    item = checked(tmp_path, plain(train=train), capsys, *STDOUT_1)[name]

    assert item["verdict"] == "problem"
    assert text in item["text"]


def test_a_trial_without_end_is_ended_and_named(tmp_path: Path, capsys: Capture) -> None:
    script = plain(train="while :; do :; done")

    found = checked(tmp_path, script, capsys, *STDOUT_1, "--seconds", "1s")

    assert found["trains"]["text"].startswith("timed_out")
    assert found["heeds its seed"]["verdict"] == "skipped"


def test_a_program_that_ignores_its_seed_is_noted(tmp_path: Path, capsys: Capture) -> None:
    script = plain(train="printf 0.25 > /tmp/model; echo 0.25")

    found = checked(tmp_path, script, capsys, *STDOUT_1)

    assert found["heeds its seed"]["verdict"] == "note"
    assert found["agrees"]["verdict"] == "ok"


def test_a_program_that_ignores_validation_is_named(tmp_path: Path, capsys: Capture) -> None:
    trains_again = "echo 0.25"

    found = checked(tmp_path, plain(evaluate=trains_again), capsys, *STDOUT_1)

    assert found["reads the model"]["verdict"] == "problem"


def test_there_is_nothing_to_negate_under_lc_1(tmp_path: Path, capsys: Capture) -> None:
    image = str(shell_image(tmp_path, speaking()))

    assert run(["contract", "check", image, "--negate"]) == Exit.USAGE
    assert "--contract stdout/1" in capsys.readouterr().err
