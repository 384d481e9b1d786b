"""The command line as a whole: mistypes, help, and how it ends."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from lc_node.api.errors import NodeUnreachable, Refused
from lc_node.chain.errors import LearningChainError
from lc_node.cli.exits import Exit, explain
from lc_node.cli.main import lc_node, run
from lc_node.ports.sandbox import SandboxUnavailable


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        (["stauts"], "status"),  # codespell:ignore
        (["key", "exprot"], "export"),  # codespell:ignore
        (["status", "--hmoe", "x"], "--home"),
        (["genesis", "new", "--acount", "x"], "--account"),
    ],
    ids=" ".join,
)
def test_a_mistype_is_answered_with_what_was_meant(
    mistyped: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(mistyped) == Exit.USAGE
    assert "Did you mean" in (said := capsys.readouterr().err)
    assert meant in said


def test_help_names_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == Exit.OK
    assert "4 no node answers" in " ".join(capsys.readouterr().out.split())


def below(command: click.Command) -> list[click.Command]:
    """Return the commands of a group; none of a command."""
    if not isinstance(command, click.Group):
        return []
    context = click.Context(command)
    found = [command.get_command(context, name) for name in command.list_commands(context)]
    return [one for one in found if one is not None]


def test_every_command_is_where_it_is_looked_for() -> None:
    context = click.Context(lc_node)

    assert [one.name for one in below(lc_node)] == lc_node.list_commands(context)


def test_what_speaks_with_a_node_imports_none() -> None:
    code = "import sys; from lc_node.cli.main import run; run(['status', '--help']); print(*sys.modules)"
    words = [sys.executable, "-c", code]
    modules = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()

    assert not {"lc_node.runtime.node", "optuna", "numpy"} & set(modules)


def test_a_node_imports_no_search_before_it_trains() -> None:
    code = "import sys, lc_node.cli.run_cmd; print(*sys.modules)"
    words = [sys.executable, "-c", code]
    modules = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()

    assert not {"optuna", "numpy"} & set(modules)


def test_every_command_has_help() -> None:
    def walk(command: click.Command) -> list[click.Command]:
        return [command, *(found for one in below(command) for found in walk(one))]

    assert all(command.help for command in walk(lc_node))


@pytest.mark.parametrize(
    "command",
    ["status", "peers", "wallet", "jobs", "policy show", "job show", "job watch", "key show"],
)
def test_every_command_that_reads_can_answer_in_json(command: str) -> None:
    found: click.Command = lc_node
    for name in command.split():
        found = next(one for one in below(found) if one.name == name)

    assert "--json" in {option for parameter in found.params for option in parameter.opts}


def test_no_node_is_an_exit_code_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status", "--home", str(tmp_path)]) == Exit.NODE_UNREACHABLE
    assert "lc-node run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NodeUnreachable("Gone."), Exit.NODE_UNREACHABLE),
        (SandboxUnavailable("install bubblewrap"), Exit.NO_SANDBOX),
        (Refused("Code", "no"), Exit.REFUSED),
        (LearningChainError("no"), Exit.REFUSED),
        (click.UsageError("no"), Exit.USAGE),
        (click.Abort(), Exit.INTERRUPTED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_of_error_has_its_exit_code(
    error: Exception, code: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(error) == code
    assert capsys.readouterr().err


def test_an_error_of_nobodys_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        explain(ZeroDivisionError())
