"""Where a node's runs take place, as its settings say."""

import sys
from pathlib import Path

import pytest

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.chain.types import ByteCount, PublicKey
from lc_node.ports.surroundings import Surroundings
from lc_node.runtime.config import Config, WorkConfig
from lc_node.runtime.home import Home
from lc_node.runtime.workplace import DaskMissing, Workplace
from lc_node.worker.hours import Minute
from lc_node.worker.policy import Circumstances

CLUSTER = Config(work=WorkConfig(executor="dask://127.0.0.1:1"))


class Calm(Surroundings):
    """A machine with nothing to do."""

    def look(self) -> Circumstances:
        return Circumstances(minute=Minute(0), on_battery=False, others_percent=0)


def workplace(folder: Path, config: Config) -> Workplace:
    blobs = DirectoryBlobStore(folder / "blobs", bytes_max=ByteCount(1000))
    return Workplace(Home(folder), config, blobs, node=PublicKey(bytes(32)))


def test_a_cluster_without_its_library_is_one_line_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lc_node.adapters.dask_executor", None)

    with pytest.raises(DaskMissing, match=r"pip install 'learningchain\[node,dask\]'"):
        workplace(tmp_path, CLUSTER)


async def test_a_node_that_takes_no_jobs_does_without_its_cluster(tmp_path: Path) -> None:
    place = workplace(tmp_path, CLUSTER)

    await place.start(is_needed=False)

    assert "no Dask scheduler answers" in place.problem()
    assert not place.seen_from(Calm()).look().has_place
    assert place.capabilities() is None
