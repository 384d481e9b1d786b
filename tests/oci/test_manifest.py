"""Image documents of strangers are read within limits, ours are written in one way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_node.oci.manifest import (
    CONFIG_TYPE,
    DOCKER_CONFIG_TYPE,
    DOCKER_LAYER_TYPE,
    DOCKER_MANIFEST_TYPE,
    GZIP_LAYER_TYPE,
    LAYERS_MAX,
    MANIFEST_BYTES_MAX,
    MANIFEST_TYPE,
    ConfigDescriptor,
    ImageConfig,
    LayerDescriptor,
    MalformedImage,
    Manifest,
    RootFs,
    RunConfig,
    blob_name,
    decode_config,
    decode_index,
    decode_manifest,
    encode,
    validate_image,
)

BLOB = blob_name(b"")


def manifest(layers: int = 1) -> Manifest:
    return Manifest(
        schema_version=2,
        media_type=MANIFEST_TYPE,
        config=ConfigDescriptor(media_type=CONFIG_TYPE, digest=BLOB, size=2),
        layers=(LayerDescriptor(media_type=GZIP_LAYER_TYPE, digest=BLOB, size=1),) * layers,
    )


def config(layers: int = 1) -> ImageConfig:
    return ImageConfig(
        architecture="amd64",
        os="linux",
        rootfs=RootFs(type="layers", diff_ids=(BLOB,) * layers),
        config=RunConfig(entrypoint=("/bin/a",), cmd=("b",), env=("A=1", "B=x=y", "A=2")),
    )


def test_a_manifest_reads_back_as_it_was_written() -> None:
    assert decode_manifest(encode(manifest(3))) == manifest(3)


def test_a_config_reads_back_as_it_was_written() -> None:
    assert decode_config(encode(config())) == config()


def test_a_manifest_is_written_with_sorted_keys_and_no_absent_fields() -> None:
    assert encode(manifest()) == (
        b'{"config":{"digest":"%(blob)b","mediaType":"application/vnd.oci.image.config.v1+json","size":2},'
        b'"layers":[{"digest":"%(blob)b","mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":1}],'
        b'"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}'
    ) % {b"blob": BLOB.encode()}


def test_the_arguments_are_entrypoint_then_command() -> None:
    assert config().argv == ("/bin/a", "b")


def test_of_a_variable_named_twice_the_last_value_counts() -> None:
    assert config().environment == {"A": "2", "B": "x=y"}


def test_an_image_without_arguments_has_none() -> None:
    bare = ImageConfig(
        architecture="amd64", os="linux", rootfs=RootFs(type="layers", diff_ids=(BLOB,))
    )

    assert (bare.argv, bare.environment, bare.working_folder) == ((), {}, "/")


def test_an_image_says_where_it_is_to_start() -> None:
    bare = ImageConfig(
        architecture="amd64",
        os="linux",
        rootfs=RootFs(type="layers", diff_ids=(BLOB,)),
        config=RunConfig(working_dir="/app"),
    )

    assert bare.working_folder == "/app"


def test_the_nulls_that_docker_writes_are_read_as_absent() -> None:
    text = encode(config()).replace(b'"Cmd":["b"]', b'"Cmd":null,"Volumes":null,"Unknown":[1]')

    assert decode_config(text).argv == ("/bin/a",)


def test_docker_names_of_the_same_documents_are_read() -> None:
    text = (
        encode(manifest())
        .replace(MANIFEST_TYPE.encode(), DOCKER_MANIFEST_TYPE.encode())
        .replace(CONFIG_TYPE.encode(), DOCKER_CONFIG_TYPE.encode())
        .replace(GZIP_LAYER_TYPE.encode(), DOCKER_LAYER_TYPE.encode())
    )

    assert decode_manifest(text).layers[0].media_type == DOCKER_LAYER_TYPE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"sha256:", b"sha512:"),
        (BLOB.encode(), BLOB.encode() + b"\\n"),
        (BLOB.encode(), BLOB.upper().encode()),
        (b'"size":1', b'"size":-1'),
        (b'"size":1', b'"size":1.5'),
        (b'"size":1', b'"size":"1"'),
        (b'"size":1', b'"size":9223372036854775807'),
        (b'"size":2', b'"size":2097152'),
        (b"tar+gzip", b"tar+zstd"),
        (b"image.manifest.v1", b"image.index.v1"),
        (b'"schemaVersion":2', b'"schemaVersion":1'),
        (b"{", b"["),
        (b'"layers":[', b'"layers":' + b"[" * 50_000),
        (b"sha256:", b"\xff"),
    ],
)
def test_a_broken_manifest_is_refused_by_name(old: bytes, new: bytes) -> None:
    text = encode(manifest()).replace(old, new)

    with pytest.raises(MalformedImage) as refusal:
        decode_manifest(text)

    assert refusal.value.what == "manifest"


def test_a_manifest_over_the_size_limit_is_refused_unread() -> None:
    with pytest.raises(MalformedImage, match="at most"):
        decode_manifest(b" " * (MANIFEST_BYTES_MAX + 1))


def test_more_layers_than_allowed_are_refused() -> None:
    with pytest.raises(MalformedImage, match="length"):
        decode_manifest(encode(manifest(LAYERS_MAX + 1)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"os":"linux"', b'"os":"windows"'),
        (b'"A=1"', b'"A"'),
        (b'"A=1"', b'"=1"'),
        (b'"A=1"', b'"A=\\u0000"'),
        (b'"/bin/a"', b'"/bin/a\\u0000"'),
        (b'"type":"layers"', b'"type":"squashfs"'),
    ],
)
def test_a_broken_config_is_refused_by_name(old: bytes, new: bytes) -> None:
    with pytest.raises(MalformedImage, match="malformed image config"):
        decode_config(encode(config()).replace(old, new))


def test_a_config_of_another_number_of_layers_is_refused() -> None:
    with pytest.raises(MalformedImage, match="2 diff_ids for 1 layers"):
        validate_image(manifest(1), config(2))


def test_a_config_of_as_many_layers_is_accepted() -> None:
    validate_image(manifest(2), config(2))


def test_an_index_names_a_manifest_for_each_platform() -> None:
    text = (
        b'{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"%b","size":3,'
        b'"platform":{"architecture":"arm64","os":"linux","variant":"v8"}}]}'
    ) % BLOB.encode()

    (found,) = decode_index(text).manifests

    assert found.platform is not None
    assert (found.platform.architecture, found.size) == ("arm64", 3)


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_no_bytes_raise_anything_but_the_named_error(data: bytes) -> None:
    with pytest.raises(MalformedImage):
        decode_manifest(data)
