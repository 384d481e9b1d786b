"""Which sandbox is chosen: the owner's, or the best that works; and none rather than nothing around a job."""

from pathlib import Path

import pytest

from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.adapters.chosen_sandbox import ChosenSandbox
from lc_node.adapters.docker_sandbox import DockerSandbox
from lc_node.ports.sandbox import Capabilities, Enforced, SandboxUnavailable, SandboxWishes

HARD = frozenset({Enforced.NAMESPACES, Enforced.MEMORY_HARD})
SOFT = frozenset({Enforced.NAMESPACES, Enforced.MEMORY_SOFT})

Probes = dict[str, frozenset[Enforced] | None]


@pytest.fixture
def chosen_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "ChosenOf":
    """Let probes, which have tests of their own, find what a test says."""
    return ChosenOf(monkeypatch, tmp_path)


class ChosenOf:
    """Makes a choice among sandboxes of which is known what they would find."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch, self._folder = patch, folder

    def __call__(self, probes: Probes, engine: str = "auto") -> ChosenSandbox:
        for kind, name in ((BubblewrapSandbox, "bubblewrap"), (DockerSandbox, "docker")):
            found = probes.get(name)

            async def probe(
                _self: object, name: str = name, found: frozenset[Enforced] | None = found
            ) -> Capabilities:
                if found is None:
                    raise SandboxUnavailable(f"install {name}")
                return Capabilities(engine=name, version="1", enforced=found)

            self._patch.setattr(kind, "probe", probe)
        return ChosenSandbox(SandboxWishes(engine=engine), "tests", disks=self._folder)


@pytest.mark.parametrize(
    ("probes", "engine", "expected"),
    [
        ({"bubblewrap": HARD, "docker": HARD}, "auto", "bubblewrap"),
        ({"bubblewrap": SOFT, "docker": HARD}, "auto", "docker"),
        ({"bubblewrap": SOFT, "docker": None}, "auto", "bubblewrap"),
        ({"bubblewrap": None, "docker": HARD}, "auto", "docker"),
        ({"bubblewrap": HARD, "docker": HARD}, "docker", "docker"),
        ({"bubblewrap": SOFT, "docker": HARD}, "bubblewrap", "bubblewrap"),
    ],
)
async def test_the_best_that_works_is_chosen_unless_the_owner_names_one(
    chosen_of: ChosenOf, probes: Probes, engine: str, expected: str
) -> None:
    assert (await chosen_of(probes, engine).probe()).engine == expected


@pytest.mark.parametrize(
    ("probes", "engine", "remedy"),
    [
        ({}, "auto", "bubblewrap: install bubblewrap; or docker: install docker"),
        ({"bubblewrap": HARD}, "docker", "docker: install docker"),
        ({"docker": HARD}, "bubblewrap", "bubblewrap: install bubblewrap"),
    ],
)
async def test_without_one_the_remedies_are_named(
    chosen_of: ChosenOf, probes: Probes, engine: str, remedy: str
) -> None:
    with pytest.raises(SandboxUnavailable) as refused:
        await chosen_of(probes, engine).probe()

    assert str(refused.value) == remedy


async def test_all_are_looked_at_for_the_owner(chosen_of: ChosenOf) -> None:
    tried = await chosen_of({"bubblewrap": HARD}).try_all()

    assert [(one.name, one.problem) for one in tried] == [
        ("bubblewrap", ""),
        ("docker", "install docker"),
    ]
