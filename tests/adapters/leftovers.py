"""What runs have left on the machine: nothing, if all is well."""

from pathlib import Path

from docker import APIClient

from lc_node.adapters.cgroups import FAMILY
from lc_node.adapters.docker_engine import OWNER_LABEL
from tests.adapters.jobs import docker_host


def groups_of(owner: str) -> list[Path]:
    """Return the folders of a node's control groups, one in each hierarchy that it uses."""
    mounted = Path(
        "/sys/fs/cgroup"
    )  # version 2 is mounted here, or the hierarchies of version 1 below
    places = (hierarchy / FAMILY / owner for hierarchy in (mounted, *mounted.iterdir()))
    return [place for place in places if place.is_dir()]


def leftovers(sandbox_name: str, owner: str) -> list[str]:
    """Return the control groups of runs, and the containers, that are still there."""
    groups = [str(run) for place in groups_of(owner) for run in place.iterdir() if run.is_dir()]
    return groups + (_containers(owner) if sandbox_name == "docker" else [])


def _containers(owner: str) -> list[str]:
    with APIClient(base_url=docker_host()) as engine:
        found = engine.containers(all=True, filters={"label": [f"{OWNER_LABEL}={owner}"]})
    return [str(container["Id"]) for container in found]
