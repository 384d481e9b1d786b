"""References are read as Docker reads them, and what is none gets a hint."""

import pytest

from lc_node.oci.references import BadReference, Reference, parse_reference

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python", Reference(host="docker.io", name="library/python", tag="latest")),
        ("python:3.11", Reference(host="docker.io", name="library/python", tag="3.11")),
        ("me/image", Reference(host="docker.io", name="me/image", tag="latest")),
        ("index.docker.io/me/image", Reference(host="docker.io", name="me/image", tag="latest")),
        ("docker.io/python", Reference(host="docker.io", name="library/python", tag="latest")),
        ("ghcr.io/a/b_c/d--e:v1", Reference(host="ghcr.io", name="a/b_c/d--e", tag="v1")),
        ("GHCR.io/a/b", Reference(host="ghcr.io", name="a/b", tag="latest")),
        ("localhost/a", Reference(host="localhost", name="a", tag="latest")),
        ("localhost:5000/a:b", Reference(host="localhost:5000", name="a", tag="b")),
        ("127.0.0.1:5000/a", Reference(host="127.0.0.1:5000", name="a", tag="latest")),
        ("[::1]:5000/a", Reference(host="[::1]:5000", name="a", tag="latest")),
        (f"quay.io/a@{DIGEST}", Reference(host="quay.io", name="a", digest=DIGEST)),
        (f"quay.io/a:b@{DIGEST}", Reference(host="quay.io", name="a", tag="b", digest=DIGEST)),
    ],
)
def test_a_reference_is_read(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected
    assert parse_reference(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("https://ghcr.io/a/b", "ghcr.io/a/b:latest"),
        ("docker://ghcr.io/a/b:c", "ghcr.io/a/b:c"),
        ("ghcr.io/Me/Image:V1", "ghcr.io/me/image:v1"),
        ("Python", "docker.io/library/python:latest"),
        ("ghcr.io/a/b/", "ghcr.io/a/b:latest"),
    ],
)
def test_what_was_perhaps_meant_is_named(text: str, meant: str) -> None:
    with pytest.raises(BadReference, match=f"did you mean {meant}"):
        parse_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a b",
        "../../etc/passwd",
        "ghcr.io/a/../b",
        "ghcr.io/a@sha256:12",
        "ghcr.io/a@md5:" + "0" * 32,
        "ghcr.io/a:",
        "ghcr.io/a:" + "t" * 129,
        "ghcr.io/" + "a" * 256,
        "a" * 600,
        "user:password@ghcr.io/a",
        "ghcr.io:port/a",
        "-.io/a",
        "a\r\nHost: b/c",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(BadReference, match="names no image in a registry; write for example"):
        parse_reference(text)
