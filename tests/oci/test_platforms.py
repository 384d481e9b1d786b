"""Of the images under one name a machine takes its own."""

import pytest

from lc_node.oci.manifest import (
    INDEX_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    Index,
    MalformedImage,
    Platform,
    blob_name,
)
from lc_node.oci.platforms import architecture_of, choose_manifest, is_index


def described(
    name: str, platform: tuple[str, str] | None = None, kind: str = MANIFEST_TYPE
) -> Descriptor:
    found = None if platform is None else Platform(os=platform[0], architecture=platform[1])
    return Descriptor(media_type=kind, digest=blob_name(name.encode()), size=1, platform=found)


def index(*manifests: Descriptor) -> Index:
    return Index(schema_version=2, manifests=manifests)


OURS = described("ours", ("linux", "amd64"))
ARM = described("arm", ("linux", "arm64"))
WINDOWS = described("windows", ("windows", "amd64"))
SIGNATURE = described("signature", ("unknown", "unknown"))
ARTIFACT = described("artifact", ("linux", "amd64"), kind="application/json")
NAMELESS = described("nameless")
NESTED = described("nested", ("linux", "amd64"), kind=INDEX_TYPE)


@pytest.mark.parametrize(
    ("manifests", "chosen"),
    [
        ((ARM, OURS), OURS),
        ((WINDOWS, SIGNATURE, OURS), OURS),
        ((ARTIFACT, OURS), OURS),
        ((NAMELESS,), NAMELESS),
        ((ARTIFACT, NAMELESS), NAMELESS),
        ((NESTED,), NESTED),
    ],
)
def test_this_machines_image_is_chosen(
    manifests: tuple[Descriptor, ...], chosen: Descriptor
) -> None:
    assert choose_manifest(index(*manifests), "amd64") == chosen


@pytest.mark.parametrize(
    ("manifests", "there_is"),
    [
        ((ARM, WINDOWS), "linux/arm64, windows/amd64"),
        ((NAMELESS, NAMELESS), "none that names its platform"),
        ((), "none that names its platform"),
        ((ARTIFACT,), "none that names its platform"),
    ],
)
def test_an_index_without_it_says_what_it_has(
    manifests: tuple[Descriptor, ...], there_is: str
) -> None:
    with pytest.raises(MalformedImage, match=f"no image for linux/amd64; there is {there_is}"):
        choose_manifest(index(*manifests), "amd64")


@pytest.mark.parametrize(
    ("machine", "name"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64")]
)
def test_architectures_have_names_of_their_own_in_images(machine: str, name: str) -> None:
    assert architecture_of(machine) == name


@pytest.mark.parametrize(
    ("document", "expected"),
    [(b'{"manifests": []}', True), (b'{"layers": [], "config": 1}', False)],
)
def test_an_index_is_known_by_what_is_in_it(document: bytes, expected: bool) -> None:  # noqa: FBT001
    assert is_index(document) is expected


@pytest.mark.parametrize(
    "document", [b"{}", b'{"manifests": [], "layers": []}', b"[]", b"", b"\xff", b"[" * 10**5]
)
def test_what_could_be_both_or_is_neither_is_refused(document: bytes) -> None:
    with pytest.raises(MalformedImage):
        is_index(document)
