"""A real engine takes what we save and push, and gives what we load and pull."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.oci_archive import open_archive, read_images
from lc_node.adapters.oci_archive_writer import write_archive
from lc_node.adapters.registry import RegistryClient
from lc_node.adapters.registry_hosts import Hosts
from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.manifest import blob_name, decode_manifest
from lc_node.oci.references import parse_reference
from tests.adapters.jobs import docker_host
from tests.adapters.registries import needs_registry, running
from tests.adapters.sketches import sketch

pytestmark = pytest.mark.skipif(
    not docker_host() and "CI" not in os.environ, reason="no engine; scripts/ensure-docker"
)
NAME = "lc-test/image"


@pytest.fixture
def engine() -> Iterator[docker.APIClient]:
    client = docker.APIClient(base_url=docker_host(), version="auto")
    yield client
    for image in client.images(name=NAME):
        client.remove_image(image["Id"], force=True)
    client.close()


@pytest.mark.parametrize("gzip", [False, True])
def test_an_engine_loads_what_we_save_and_we_read_what_it_saves(
    engine: docker.APIClient,
    tmp_path: Path,
    gzip: bool,  # noqa: FBT001
) -> None:
    image = sketch(b"saved", os.urandom(100_000), gzip=gzip, note=str(gzip))
    archive = io.BytesIO()
    name = f"{NAME}:saved"
    write_archive(image.manifest, lambda blob: io.BytesIO(image.blobs[blob]), archive, name=name)

    list(engine.load_image(archive.getvalue()))
    config = decode_manifest(image.manifest).config.digest
    assert engine.inspect_image(name)["Id"] in {config, image.name}

    path = tmp_path / "saved.tar"
    with path.open("wb") as file:
        for piece in engine.get_image(name):
            file.write(piece)
    with open_archive(path) as members:
        (found,) = read_images(members, "x86_64")
        assert found.document.config.digest == config
        assert found.calls_itself == (name,)
        for layer in found.document.layers:
            with found.open(layer.digest) as source:
                assert blob_name(source.read()) == layer.digest


@needs_registry
async def test_an_engine_pulls_what_we_push_and_we_pull_what_it_pushes(
    engine: docker.APIClient, tmp_path: Path
) -> None:
    image = sketch(b"pushed", os.urandom(100_000))
    store = DirectoryBlobStore(tmp_path / "blobs", bytes_max=ByteCount(10**7))
    client = RegistryClient(hosts=Hosts.of(()), machine="x86_64")
    for data in image.blobs.values():
        store.put_bytes(data)

    def path_of(digest: Digest) -> Path:
        path = store.path_of(digest)
        assert path is not None
        return path

    with running(tmp_path / "registry") as host:
        name = f"{host}/{NAME}"
        await client.push(parse_reference(f"{name}:ours"), image.manifest, path_of)
        engine.pull(name, tag="ours")
        pulled = engine.inspect_image(f"{name}:ours")
        engine.tag(f"{name}:ours", name, tag="theirs")
        answer = engine.push(name, tag="theirs")
        theirs = await client.resolve(parse_reference(f"{name}:theirs"), anonymous=True)
        engine.remove_image(f"{name}:ours")
        engine.remove_image(f"{name}:theirs")

    assert pulled["RepoDigests"] == [f"{name}@{image.name}"], answer
    assert decode_manifest(theirs).config.digest == decode_manifest(image.manifest).config.digest
