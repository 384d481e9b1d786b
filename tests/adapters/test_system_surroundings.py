"""This machine as its guest sees it: the plug, the time of day, and how busy others keep the processors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lc_node.adapters.system_surroundings import SystemSurroundings, is_on_battery

DRAINING = {"type": "Battery", "status": "Discharging"}
PLUGGED = {"type": "Mains", "online": "1"}
UNPLUGGED = {"type": "Mains", "online": "0"}


@pytest.mark.parametrize(
    ("supplies", "on_battery"),
    [
        ((), False),
        ((DRAINING,), True),
        ((DRAINING, UNPLUGGED), True),
        ((DRAINING, PLUGGED), False),
        (({**DRAINING, "status": "Full"}, UNPLUGGED), False),
        (({**DRAINING, "scope": "Device"},), False),
    ],
    ids=["none", "battery", "unplugged", "plugged in", "full", "a mouse"],
)
def test_a_machine_on_its_battery_is_told_from_others(
    *, tmp_path: Path, supplies: tuple[dict[str, str], ...], on_battery: bool
) -> None:
    for number, supply in enumerate(supplies):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, value in supply.items():
            (folder / name).write_text(f"{value}\n")

    assert is_on_battery(tmp_path) is on_battery


def test_a_machine_that_tells_nothing_of_its_power_has_no_battery(tmp_path: Path) -> None:
    assert not is_on_battery(tmp_path / "absent")


def processors(path: Path, *, busy: int, idle: int) -> None:
    path.write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n")


def surroundings(folder: Path) -> SystemSurroundings:
    return SystemSurroundings(supplies=folder, stat=folder / "stat")


def test_what_others_use_is_known_after_a_window(tmp_path: Path) -> None:
    stat, second = tmp_path / "stat", os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1)
    processors(stat, busy=0, idle=0)
    machine = surroundings(tmp_path)
    processors(stat, busy=3_000 * second, idle=7_000 * second)

    assert machine.look().others_percent in {29, 30}  # less what this test itself used


def test_until_a_window_has_passed_the_last_one_counts(tmp_path: Path) -> None:
    stat, second = tmp_path / "stat", os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1)
    processors(stat, busy=0, idle=0)
    machine = surroundings(tmp_path)
    processors(stat, busy=9 * second, idle=0)

    assert machine.look().others_percent == 0


def test_what_this_node_and_its_jobs_use_is_not_others(tmp_path: Path) -> None:
    stat, cores = tmp_path / "stat", os.cpu_count() or 1
    processors(stat, busy=0, idle=0)
    machine = SystemSurroundings(supplies=tmp_path, stat=stat, window_ms=1)
    burn = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-I", "-S", "-c", burn], check=True)
    processors(stat, busy=os.sysconf("SC_CLK_TCK") // 2, idle=cores)

    assert machine.look().others_percent == 0


def test_the_time_of_day_and_the_real_files_can_be_read() -> None:
    now = SystemSurroundings().look()

    assert 0 <= now.minute < 24 * 60
    assert now.others_percent == 0
