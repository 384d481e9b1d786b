"""What the driver's program lists, and what it says where there is nothing to list."""

import os
from pathlib import Path

import pytest

from lc_node.adapters.nvidia_gpus import find_gpus, parse_gpus, visible_of
from lc_node.chain.types import ByteCount
from lc_node.ports.gpus import Gpu

LISTED = """\
GPU-6f1d2f3a-0001, 0, NVIDIA A100-SXM4-40GB, 40960
GPU-6f1d2f3a-0002, 1, NVIDIA A100-SXM4-40GB, 40960
"""
FIRST = Gpu(
    identifier="GPU-6f1d2f3a-0001",
    index="0",
    name="NVIDIA A100-SXM4-40GB",
    memory_bytes=ByteCount(40960 << 20),
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def write_program(folder: Path, script: str) -> None:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_line_is_a_gpu() -> None:
    assert parse_gpus(LISTED)[0] == FIRST
    assert [gpu.index for gpu in parse_gpus(LISTED)] == ["0", "1"]


@pytest.mark.parametrize("said", ["", "No devices were found", "a, b, c, d", "GPU-1, 0, A100"])
def test_what_is_no_gpu_is_left_out(said: str) -> None:
    assert parse_gpus(said) == ()


@pytest.mark.parametrize(
    ("visible", "indices"),
    [({}, "01"), ({"CUDA_VISIBLE_DEVICES": "1"}, "1"), ({"CUDA_VISIBLE_DEVICES": ""}, "")],
)
def test_the_environment_may_leave_some_out(visible: dict[str, str], indices: str) -> None:
    found = visible_of(parse_gpus(LISTED), visible)

    assert "".join(gpu.index for gpu in found) == indices


@pytest.mark.usefixtures("programs")
async def test_a_machine_without_the_driver_says_so() -> None:
    found = await find_gpus()

    assert found.gpus == ()
    assert found.problem == "no NVIDIA driver is installed here: there is no nvidia-smi"


async def test_a_driver_that_does_not_work_is_quoted(programs: Path) -> None:
    words = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    write_program(programs, f'echo "{words}"; exit 9')

    assert (await find_gpus()).problem == f"nvidia-smi says: {words}"


async def test_what_a_program_lists_is_found(programs: Path) -> None:
    write_program(programs, f"echo '{LISTED}'")

    found = await find_gpus()

    assert found.gpus[0] == FIRST
    assert os.environ["PATH"] == str(programs)
