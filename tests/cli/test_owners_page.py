"""The commands that docs/OWNERS.md tells: each is one that lc-node has."""

import re
import shlex
from pathlib import Path

import pytest

from lc_node.cli.exits import Exit
from lc_node.cli.main import run

PAGE = (Path(__file__).parents[2] / "docs" / "OWNERS.md").read_text(encoding="utf-8")
TYPED = re.findall(r"^lc-node (.+?)(?:#.*)?$", PAGE, re.MULTILINE)
NAMED = re.findall(r"`lc-node ([^`]+)`", PAGE)
COMMANDS = sorted({line.strip() for line in (*TYPED, *NAMED)} - {"doctor"})


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_for_owners_is_understood(command: str, tmp_path: Path) -> None:
    words = shlex.split(command.replace("JOB", "ab").replace("AMOUNT", "5"))

    assert run(["--home", str(tmp_path), *words]) == Exit.NODE_UNREACHABLE
