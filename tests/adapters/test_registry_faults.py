"""Registries that fail, lie or send us elsewhere: each fault has its name, and nothing false is kept."""

import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.registry import RegistryClient
from lc_node.adapters.registry_hosts import Hosts, is_public
from lc_node.chain.crypto import sha256
from lc_node.chain.types import ByteCount
from lc_node.oci.manifest import MalformedImage
from lc_node.oci.references import parse_reference
from lc_node.ports.images import BlobReference
from lc_node.ports.registry import (
    ImageUnknown,
    RegistryBusy,
    RegistryDenied,
    RegistryError,
    RegistryMistaken,
    RegistryNotAllowed,
    RegistryUnreachable,
)
from lc_node.ports.stores import Naming
from tests.adapters.registries import login, serving
from tests.adapters.sketches import index_of, sketch

DATA = b"0123456789" * 1000
BLOB = BlobReference(digest=sha256(DATA), size=ByteCount(len(DATA)))
IMAGE = sketch(b"one")
Reply = Callable[[web.Request], web.StreamResponse]


@dataclass
class Played:
    """A registry that answers as it is told; the last answer is repeated."""

    replies: list[Reply]
    asked: list[web.BaseRequest] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply(request)


def client(*listed: str, credentials: Path | None = None) -> RegistryClient:
    return RegistryClient(
        hosts=Hosts.of(listed), machine="x86_64", pause_seconds=0.001, credentials=credentials
    )


def store_in(folder: Path) -> DirectoryBlobStore:
    return DirectoryBlobStore(folder / "blobs", bytes_max=ByteCount(10**8))


async def fetch(host: str, store: DirectoryBlobStore, speaker: RegistryClient) -> bytes:
    reference = parse_reference(f"{host}/image:1")
    path = await speaker.fetch(
        reference, BLOB, store, anonymous=False, progress=lambda _here, _all: None
    )
    return path.read_bytes()


async def fault(
    folder: Path, *replies: Reply, speaker: RegistryClient | None = None
) -> tuple[RegistryError, int]:
    """Return how fetching a blob from such a registry fails, and how often it was asked; nothing may be kept."""
    played, store = Played(list(replies)), store_in(folder)
    async with serving(played.answer) as host:
        with pytest.raises(RegistryError) as raised:
            await fetch(host, store, speaker or client())
    assert store.path_of(BLOB.digest) is None
    return raised.value, len(played.asked)


def status(code: int, **headers: str) -> Reply:
    return lambda _request: web.Response(
        status=code, headers={name.replace("_", "-"): text for name, text in headers.items()}
    )


def body(data: bytes, code: int = 200, **headers: str) -> Reply:
    return lambda _request: web.Response(
        status=code,
        body=data,
        headers={name.replace("_", "-"): text for name, text in headers.items()},
    )


def endless(_request: web.Request) -> web.StreamResponse:
    """Send for ever, without saying how much."""

    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield DATA

    return web.Response(body=pieces())


@pytest.mark.parametrize(
    ("reply", "kind", "why", "times"),
    [
        (status(404), ImageUnknown, "no such image", 1),
        (status(403), RegistryDenied, "docker login", 1),
        (status(401), RegistryDenied, "in a way that is not known here", 1),
        (
            status(401, WWW_Authenticate='Basic realm="here"'),
            RegistryDenied,
            "wants credentials",
            1,
        ),
        (status(401, WWW_Authenticate="Negotiate"), RegistryDenied, "not known here", 1),
        (status(401, WWW_Authenticate='Bearer realm="/x"'), RegistryMistaken, "nowhere", 1),
        (status(429), RegistryBusy, "no more requests for now", 5),
        (status(500), RegistryUnreachable, r"fails \(500\)", 5),
        (status(503), RegistryUnreachable, r"fails \(503\)", 5),
        (status(416), RegistryMistaken, "answers 416", 1),
        (status(204), RegistryMistaken, "answers 204", 1),
        (status(302), RegistryMistaken, "nowhere", 1),
        (status(302, Location="/x"), RegistryMistaken, "redirects more than 5 times", 6),
        (body(b"x" * len(DATA)), RegistryMistaken, "other bytes as sha256", 1),
        (body(DATA + b"x"), RegistryMistaken, "10001 bytes there", 1),
        (body(DATA[:-1]), RegistryMistaken, "9999 bytes there", 1),
        (body(DATA, 206, Content_Range="bytes 5-9999/10000"), RegistryMistaken, "another part", 1),
        (endless, RegistryMistaken, "10001 bytes there, or more", 1),
    ],
)
async def test_a_fault_has_its_name(
    reply: Reply, kind: type[RegistryError], why: str, times: int, tmp_path: Path
) -> None:
    error, asked = await fault(tmp_path, reply)

    assert type(error) is kind
    assert why.replace("\\", "") in str(error)
    assert asked == times


@pytest.mark.parametrize("first", [status(429, Retry_After="0"), status(502), status(504)])
async def test_what_passes_is_tried_again(first: Reply, tmp_path: Path) -> None:
    async with serving(Played([first, first, body(DATA)]).answer) as host:
        assert await fetch(host, store_in(tmp_path), client()) == DATA


async def test_a_registry_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with serving(Played([status(404)]).answer) as host:
        gone = host
    with pytest.raises(RegistryUnreachable, match=f"{gone}: it cannot be reached"):
        await fetch(gone, store_in(tmp_path), client())


async def test_a_registry_without_ranges_begins_anew_and_nothing_is_kept_twice(
    tmp_path: Path,
) -> None:
    store = store_in(tmp_path)
    partial = store.partial(BLOB.digest, BLOB.size, Naming.SHA256)
    partial.write(DATA[:3333])
    partial.close()
    played = Played([body(DATA)])
    async with serving(played.answer) as host:
        assert await fetch(host, store, client()) == DATA
    assert played.asked[0].headers["Range"] == "bytes=3333-"


async def test_what_an_earlier_attempt_left_wrong_is_fetched_again(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    partial = store.partial(BLOB.digest, BLOB.size, Naming.SHA256)
    partial.write(b"x" * 3333)
    partial.close()

    def ranged(request: web.Request) -> web.StreamResponse:
        begin = int(request.headers.get("Range", "bytes=0-")[6:-1])
        last = len(DATA) - 1
        headers = {"Content-Range": f"bytes {begin}-{last}/{len(DATA)}"} if begin else {}
        return web.Response(status=206 if begin else 200, body=DATA[begin:], headers=headers)

    async with serving(Played([ranged]).answer) as host:
        assert await fetch(host, store, client()) == DATA


# Where a registry sends us.


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("http://elsewhere.example/x", "in the clear"),
        ("https://10.0.0.1/x", "an address of this machine or its networks"),
        ("https://127.0.0.1:1/x", "an address of this machine or its networks"),
        ("https://[::1]/x", "an address of this machine or its networks"),
        ("https://[::ffff:192.168.0.1]/x", "an address of this machine or its networks"),
        ("https://169.254.169.254/latest/meta-data", "an address of this machine"),
        ("https://[64:ff9b::a00:1]/x", "an address of this machine or its networks"),
        ("https://localhost:1/x", "an address of this machine or its networks"),
        ("https://0x7f000001/x", "an address of this machine or its networks"),
        ("file:///etc/passwd", "nowhere"),
        ("ftp://elsewhere.example/x", "in the clear"),
        ("https:///x", "nowhere"),
    ],
)
async def test_no_registry_sends_us_inside(target: str, why: str, tmp_path: Path) -> None:
    error, asked = await fault(tmp_path, status(307, Location=target))

    assert isinstance(error, RegistryNotAllowed | RegistryMistaken)
    assert why in str(error)
    assert asked == 1


async def test_a_listed_host_opens_none_of_its_other_ports(tmp_path: Path) -> None:
    away = status(307, Location="https://localhost:1/x")
    error, _ = await fault(tmp_path, away, speaker=client("localhost:5000", "localhost"))

    assert isinstance(error, RegistryNotAllowed)
    assert "sends us to localhost, an address of this machine" in str(error)


@pytest.mark.parametrize("realm", ["http://10.0.0.1/token", "https://192.168.1.1/token"])
async def test_nor_for_a_token(realm: str, tmp_path: Path) -> None:
    challenge = f'Bearer realm="{realm}",service="s",scope="repository:image:pull"'
    error, asked = await fault(tmp_path, status(401, WWW_Authenticate=challenge))

    assert isinstance(error, RegistryNotAllowed)
    assert asked == 1


async def test_who_is_elsewhere_does_not_learn_who_we_are(tmp_path: Path) -> None:
    other = Played([body(DATA)])
    async with serving(other.answer) as elsewhere:

        def reply(request: web.Request) -> web.StreamResponse:
            if "Authorization" not in request.headers:
                return status(401, WWW_Authenticate='Basic realm="here"')(request)
            return status(307, Location=f"http://{elsewhere}/blob?signed=secret")(request)

        async with serving(Played([reply]).answer) as host:
            speaker = client(
                f"http://{elsewhere}", credentials=login(tmp_path / "config.json", host)
            )
            assert await fetch(host, store_in(tmp_path), speaker) == DATA

    assert [request.headers.get("Authorization") for request in other.asked] == [None]


async def test_a_signed_address_is_not_told(tmp_path: Path) -> None:
    async with serving(Played([status(500)]).answer) as elsewhere:
        target = f"http://{elsewhere}/blob?signature=secret"
        speaker = client(f"http://{elsewhere}")
        error, _ = await fault(tmp_path, status(307, Location=target), speaker=speaker)

    assert "secret" not in str(error)
    assert "secret" not in repr(error.__cause__)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("169.254.1.1", False),
        ("172.16.0.1", False),
        ("192.168.0.1", False),
        ("0.0.0.0", False),  # noqa: S104  # an address to be refused
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:0a00:0001::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
    ],
)
def test_public_addresses_are_told_from_others(address: str, expected: bool) -> None:  # noqa: FBT001
    assert is_public(ip_address(address)) is expected


# Manifests.


async def resolve(*replies: Reply, reference: str = "image:1") -> bytes:
    async with serving(Played(list(replies)).answer) as host:
        return await client().resolve(parse_reference(f"{host}/{reference}"), anonymous=True)


@pytest.mark.parametrize(
    ("replies", "why"),
    [
        ([body(b"x" * ((1 << 20) + 1))], "more than 1048576 bytes"),
        ([body(b"{}")], "neither layers nor manifests"),
        ([body(b'{"layers":[],"manifests":[]}')], "or both"),
        ([body(b"<html>")], "malformed"),
        ([body(index_of(arm64=IMAGE))], "no image for linux/amd64; there is linux/arm64"),
        ([body(index_of(amd64=IMAGE)), body(b"{}")], "serves another manifest"),
    ],
)
async def test_a_manifest_that_is_none_is_refused(replies: list[Reply], why: str) -> None:
    with pytest.raises((RegistryMistaken, MalformedImage), match=why):
        await resolve(*replies)


async def test_another_manifest_than_the_digest_names_is_refused() -> None:
    with pytest.raises(RegistryMistaken, match="serves another manifest"):
        await resolve(body(sketch(b"other").manifest), reference=f"image@{IMAGE.name}")


# In the clear, and not.


def https(folder: Path) -> ssl.SSLContext:
    """Return a server's context with a certificate that nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem, encoding = folder / "server.pem", serialization.Encoding.PEM
    pem.write_bytes(
        certificate.public_bytes(encoding)
        + key.private_bytes(
            encoding,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_certificate_that_is_not_trusted_is_named(tmp_path: Path) -> None:
    async with serving(Played([body(DATA)]).answer, https(tmp_path)) as host:
        with pytest.raises(RegistryMistaken, match="TLS certificate is not trusted"):
            await fetch(host, store_in(tmp_path), client(f"https://{host}"))


@pytest.mark.parametrize(
    ("host", "listed", "url"),
    [
        ("docker.io", (), "https://registry-1.docker.io/v2/"),
        ("ghcr.io", ("ghcr.io",), "https://ghcr.io/v2/"),
        ("localhost:5000", (), "http://localhost:5000/v2/"),
        ("127.0.0.1:5000", (), "http://127.0.0.1:5000/v2/"),
        ("[::1]:5000", (), "http://[::1]:5000/v2/"),
        ("localhost:5000", ("https://localhost:5000",), "https://localhost:5000/v2/"),
        ("10.0.0.7:5000", ("http://10.0.0.7:5000",), "http://10.0.0.7:5000/v2/"),
        ("10.0.0.7:5000", (), "https://10.0.0.7:5000/v2/"),
    ],
)
def test_only_loopback_and_who_is_listed_so_is_spoken_with_in_the_clear(
    host: str, listed: tuple[str, ...], url: str
) -> None:
    assert str(Hosts.of(listed).url(host)) == url


def test_others_may_name_only_listed_registries() -> None:
    speaker = client("ghcr.io", "http://10.0.0.7:5000")

    assert speaker.allows("ghcr.io")
    assert speaker.allows("10.0.0.7:5000")
    assert not speaker.allows("docker.io")
    assert not speaker.allows("localhost")
