"""A passphrase is asked for at a terminal, and nowhere else."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

COMMAND = "from lc_node.cli.main import main; main()"


def answer(arguments: list[str], answers: list[bytes]) -> int:
    """Run a command at a terminal, giving each answer when the next question has come."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        for one in answers:
            shown = b""
            while not shown.endswith(b": "):
                shown += os.read(ours, 1024)
            os.write(ours, one + b"\n")
        return process.wait(30)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_a_passphrase_typed_twice_encrypts_the_key(tmp_path: Path) -> None:
    home = tmp_path / "home"

    assert answer(["init", "--home", str(home)], [b"correct horse", b"correct horse"]) == 0
    assert json.loads((home / "key.json").read_text())["kdf"] is not None


def test_an_empty_answer_leaves_the_key_plain(tmp_path: Path) -> None:
    home = tmp_path / "home"

    assert answer(["init", "--home", str(home)], [b""]) == 0
    assert json.loads((home / "key.json").read_text())["kdf"] is None


def test_two_different_passphrases_are_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"

    assert answer(["init", "--home", str(home)], [b"correct horse", b"correct house"]) == 2
    assert not home.exists()


def test_without_a_terminal_nothing_is_asked(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND, "init", "--home", str(tmp_path / "home")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 0
    assert b"Passphrase" not in ended.stdout + ended.stderr
