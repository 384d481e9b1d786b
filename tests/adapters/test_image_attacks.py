"""Whole images as an attacker would post them: what they say of themselves, and what becomes of it when they run."""

import errno
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.oci_image import OciImageStore, UnpackLimits
from lc_node.adapters.sandbox_canary import canary_program
from lc_node.chain.types import ByteCount, Digest, MillisSpan
from lc_node.oci.manifest import CONFIG_BYTES_MAX, LAYERS_MAX
from lc_node.ports.images import ImageRefused, PreparedImage
from lc_node.ports.sandbox import Limits, Outcome, RunRequest, Status
from tests.adapters.archives import END, gzip, member, sha256_name
from tests.adapters.jobs import LIMITS, Workshop, all_lines

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
CANARY = member("canary", canary_program(), mode=0o4755) + END
STATUS = ["/canary", "r", "/proc/self/status"]


class Stand:
    """Where images are offered; their documents are written as an attacker writes them."""

    def __init__(self, folder: Path) -> None:
        """Keep blobs and unpacked images in a folder."""
        self._blobs = DirectoryBlobStore(folder / "blobs", bytes_max=ByteCount(1 << 30))
        self.images = folder / "images"

    def offer(
        self,
        layer: bytes = CANARY,
        *,
        run: Mapping[str, Any] | None = None,
        layer_type: str = LAYER_TYPE,
        count: int = 1,
        diff_id: str = "",
    ) -> Digest:
        """Store an image of one layer, ``count`` times, and return what names it."""
        diff_ids = [diff_id or sha256_name(layer)] * count
        config = {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "config": {"Entrypoint": STATUS, **(run or {})},
        }
        layers = [self._described(layer, layer_type)] * count
        manifest = {
            "schemaVersion": 2,
            "config": self._described(json.dumps(config).encode(), CONFIG_TYPE),
            "layers": layers,
        }
        return self._blobs.put_bytes(json.dumps(manifest).encode())

    async def prepare(self, image: Digest, limits: UnpackLimits | None = None) -> PreparedImage:
        """Unpack it."""
        store = OciImageStore(
            self.images, self._blobs, cache_bytes_max=ByteCount(1 << 30), limits=limits
        )
        return await store.prepare(image)

    def _described(self, blob: bytes, media_type: str) -> dict[str, object]:
        self._blobs.put_bytes(blob)
        return {"mediaType": media_type, "digest": sha256_name(blob), "size": len(blob)}


@pytest.fixture
def stand(folder: Path) -> Stand:
    return Stand(folder)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"run": {"Entrypoint": "/canary"}}, "Entrypoint"),
    ({"run": {"Entrypoint": []}}, "no program"),
    ({"run": {"Entrypoint": None, "Cmd": None}}, "no program"),
    ({"run": {"Entrypoint": [["/canary"]]}}, "Entrypoint"),
    ({"run": {"Entrypoint": ["/canary\0r"]}}, "Entrypoint"),
    ({"run": {"Entrypoint": ["x"] * 1025}}, "Entrypoint"),
    ({"run": {"Env": ["A=1"] * 1025}}, "Env"),
    ({"run": {"Env": ["no value"]}}, "Env"),
    ({"run": {"Env": ["A=" + "x" * CONFIG_BYTES_MAX]}}, "size|bytes"),
    ({"run": {"Volumes": {f"/{number}": {} for number in range(65)}}}, "Volumes"),
    ({"layer_type": LAYER_TYPE + "+zstd"}, r"\+zstd"),
    ({"layer_type": LAYER_TYPE + "+encrypted"}, r"\+encrypted"),
    ({"layer_type": "application/vnd.oci.image.layer.nondistributable.v1.tar"}, "nondistri"),
    ({"count": LAYERS_MAX + 1}, "length"),
    ({"diff_id": sha256_name(b"another")}, "the digest"),
    ({"layer": gzip(CANARY)}, "ends within a header"),
]


@pytest.mark.parametrize(("what", "why"), REFUSED)
async def test_an_image_that_breaks_a_rule_is_refused_by_name(
    stand: Stand, what: dict[str, Any], why: str
) -> None:
    image = stand.offer(**what)

    with pytest.raises(ImageRefused, match=why):
        await stand.prepare(image)

    assert not stand.images.exists() or not list(stand.images.iterdir())


async def test_an_image_that_takes_too_long_to_unpack_is_refused_by_name(stand: Stand) -> None:
    piece = gzip(bytes(16 << 20), level=1)
    layer_type = LAYER_TYPE + "+gzip"
    image = stand.offer(gzip(member("x", size=1 << 40)[:512]) + piece * 200, layer_type=layer_type)
    limits = UnpackLimits(cpu_seconds=1, ratio=10_000, file_bytes=1 << 41, unpacked_bytes=1 << 42)

    with pytest.raises(ImageRefused, match="more than 1 s of a processor"):
        await stand.prepare(image, limits)

    assert list(stand.images.iterdir()) == []


async def run(
    workshop: Workshop, image: PreparedImage, limits: Limits = LIMITS
) -> tuple[list[bytes], Outcome]:
    """Run an image as it says of itself."""
    request = RunRequest(
        rootfs=image.rootfs,
        argv=image.argv,
        environment=image.environment,
        inputs={},
        limits=limits,
        manifest=image.manifest,
    )
    async with workshop.sandbox.open(request) as running:
        return await all_lines(running), await running.wait()


EVIL: list[dict[str, Any]] = [
    {"User": "root"},
    {"User": "0:0"},
    {"Volumes": {"/": {}, "/lc/out": {}, "/opt": {}, "/proc": {}}},
    {"Healthcheck": {"Test": ["CMD", "/canary", "w", "/lc/out/x"], "Interval": 1}},
    {"Env": ["LD_PRELOAD=/evil.so", "LD_AUDIT=/evil.so", "LD_LIBRARY_PATH=/", "PYTHONPATH=/"]},
    {"OnBuild": ["RUN /evil"], "Shell": ["/evil"], "StopSignal": "SIGKILL"},
    {"ExposedPorts": {"22/tcp": {}}, "Labels": {"a": "b"}},
    {"WorkingDir": "/../../etc"},
    {"WorkingDir": "/proc/self/root"},
    {"Env": ["A=" + "x" * 65_000] * 15},
    {"Cmd": ["x" * 65_000] * 15},
]


@pytest.mark.parametrize("says", EVIL, ids=lambda says: str(sorted(says)))
async def test_what_an_image_says_of_itself_gives_no_rights(
    workshop: Workshop, stand: Stand, says: dict[str, Any]
) -> None:
    lines, outcome = await run(workshop, await stand.prepare(stand.offer(run=says)))
    status = dict(line.split(b":\t", 1) for line in lines if b":\t" in line)

    assert (outcome.status, outcome.exit_code) == (Status.EXITED, 0), outcome.log_tail
    assert status[b"Uid"].split() == [b"65534"] * 4
    assert status[b"CapBnd"] == b"0" * 16
    assert status[b"Seccomp"] == b"2"


@pytest.mark.parametrize(
    "argv",
    [
        ["/nothing"],
        ["canary"],
        ["/lc"],
        ["/text"],
        ["/script"],
        ["/ring"],
        ["/torn"],
        ["/foreign"],
        ["/dev/null"],
        [""],
        ["--", "/canary"],
        ["--ro-bind", "/", "/", "/canary"],
    ],
)
async def test_a_program_that_cannot_start_is_the_images_fault(
    workshop: Workshop, stand: Stand, argv: list[str]
) -> None:
    layer = (
        member("text", b"hello", mode=0o755)
        + member("script", b"#!/nothing\n", mode=0o755)
        + member("ring", b"#!/ring\n", mode=0o755)
        + member("torn", canary_program()[:100], mode=0o755)
        + member("foreign", canary_program().replace(b"\x3e\x00", b"\xb7\x00", 1), mode=0o755)
        + END
    )
    image = await stand.prepare(stand.offer(layer, run={"Entrypoint": argv}))

    _, outcome = await run(workshop, image)

    assert outcome.status is Status.EXITED
    assert outcome.exit_code in {126, 127}, outcome.log_tail


async def test_an_image_that_starts_whatever_starts_it_ends(
    workshop: Workshop, stand: Stand
) -> None:
    """What that is differs: the sandbox's own first program may start itself until the time is over."""
    image = await stand.prepare(stand.offer(run={"Entrypoint": ["/proc/self/exe"]}))

    _, outcome = await run(workshop, image, replace(LIMITS, wall=MillisSpan(2000)))

    assert outcome.status in {Status.EXITED, Status.TIMED_OUT}


async def test_an_image_fills_no_more_than_its_folders(workshop: Workshop, stand: Stand) -> None:
    run_of = {"Entrypoint": ["/canary", "w", "/lc/out/x"], "Volumes": {"/lc/out": {}}}
    _, outcome = await run(workshop, await stand.prepare(stand.offer(run=run_of)))

    assert outcome.exit_code == errno.ENOSPC
