"""Builds the node's way to registries from its owner's settings."""

import os
from pathlib import Path

from lc_node.api.paths import expand
from lc_node.ports.registry import Registry
from lc_node.runtime.config import ImagesConfig


def registry_of(config: ImagesConfig) -> Registry:
    """Return what speaks with registries as the settings say."""
    # Here, because the HTTP library takes a quarter of a second, which commands that need none of it should not pay.
    from lc_node.adapters.registry import RegistryClient  # noqa: PLC0415
    from lc_node.adapters.registry_hosts import Hosts  # noqa: PLC0415

    return RegistryClient(
        hosts=Hosts.of(config.registries),
        machine=os.uname().machine,
        credentials=credentials_path(config.credentials),
    )


def credentials_path(setting: str) -> Path:
    """Return the file of credentials: the one that is set, else Docker's own of the user who runs the node."""
    if setting:
        return expand(setting)
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path("~/.docker").expanduser()) / "config.json"
