"""Other ways to bring a blob to another node, each as short as it can be: TLS, libtorrent, a registry and who pulls from it.

``python -m bench.blob_others`` measures all of them and ours in turn, for the decision in docs/adr.
"""

import contextlib
import datetime as dt
import hashlib
import importlib
import importlib.util
import json
import resource
import shutil
import socket
import ssl
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.blob_seats import (
    BLOB_BYTES,
    HOST,
    make_blob,
    node,
    question,
    tcp_client,
    tcp_server,
)
from bench.docker_route import engine_does, find_engine
from bench.harness import NothingMeasured
from bench.seats import Cost, Pipe, cpu_seconds_of, measured, ram_folder, seated
from lc_node.ports.stores import Naming

ROUNDS: Final = 5
_START_SECONDS: Final = 20.0
_IDLE_SECONDS: Final = 0.5
_IDLE_SHARE: Final = 0.05
_IMAGE: Final = "blob/one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to move the blob: what it costs, once."""

    name: str
    move: Callable[[], Cost]


@contextmanager
def ways() -> Iterator[tuple[Way, ...]]:
    """Set up everything that takes part, and give the ways to measure in turn, the yardstick first.

    Raises:
        NothingMeasured: libtorrent, docker-registry, skopeo or a container engine is missing.
    """
    with ram_folder() as folder, ExitStack() as stack:
        blob = make_blob(folder / "blob")
        host, pid = stack.enter_context(_registry(folder))
        ends = (_tcp, _own, _tls, _torrent)
        yield (
            *(stack.enter_context(way(folder, blob)) for way in ends),
            stack.enter_context(_copy(folder, blob, host, pid)),
            stack.enter_context(_pull(folder, blob, host, pid)),
        )


@contextmanager
def _tcp(folder: Path, blob: Path) -> Iterator[Way]:
    with seated(tcp_server, blob) as server, seated(tcp_client, folder) as client:
        port = server.ask("port")
        who = lambda: server.cpu_seconds + client.cpu_seconds  # noqa: E731  # a word
        yield Way(name="tcp", move=lambda: measured(lambda: client.ask(port), who))


@contextmanager
def _own(folder: Path, blob: Path) -> Iterator[Way]:
    with (
        seated(node, "server", folder / "server", []) as server,
        seated(node, "client", folder / "client", [("server", server.ask("port"))]) as client,
    ):
        digest = server.ask("put", blob, Naming.CHUNKS)
        client.ask("connected", 1)

        def move() -> Cost:
            cost = measured(
                lambda: client.ask("fetch", digest, Naming.CHUNKS),
                lambda: server.cpu_seconds + client.cpu_seconds,
            )
            client.ask("drop", digest)
            return cost

        yield Way(name="own", move=move)


@contextmanager
def _tls(folder: Path, blob: Path) -> Iterator[Way]:
    certificate = _certificate(folder / "tls.pem")
    with seated(_tls_server, blob, certificate) as server, seated(_tls_client, folder) as client:
        port = server.ask("port")
        who = lambda: server.cpu_seconds + client.cpu_seconds  # noqa: E731  # a word
        yield Way(name="tls", move=lambda: measured(lambda: client.ask(port), who))


@contextmanager
def _torrent(folder: Path, blob: Path) -> Iterator[Way]:
    if importlib.util.find_spec("libtorrent") is None:
        message = "libtorrent is not installed: make bench installs it"
        raise NothingMeasured(message)
    seeding = folder / "seeding"
    seeding.mkdir()
    (seeding / "blob").hardlink_to(blob)
    with seated(_seed, seeding) as seed, seated(_leech, folder) as leech:
        torrent, port = seed.ask("torrent")

        def move() -> Cost:
            cost = measured(
                lambda: leech.ask("fetch", torrent, port),
                lambda: seed.cpu_seconds + leech.cpu_seconds,
            )
            leech.ask("drop")
            return cost

        yield Way(name="torrent", move=move)


@contextmanager
def _copy(folder: Path, blob: Path, host: str, registry: int) -> Iterator[Way]:
    """Copy an image as it lies in the registry, and unpack nothing."""
    skopeo = _program("skopeo")
    _push(host, blob)
    source, into = f"docker://{host}/{_IMAGE}:1", folder / "copied"
    words = [skopeo, "copy", "-q", "--src-tls-verify=false", source, f"dir:{into}"]

    def move() -> Cost:
        cost = measured(
            lambda: subprocess.run(words, check=True).check_returncode(),  # noqa: S603  # our own words
            lambda: cpu_seconds_of(registry) + _children(),
        )
        shutil.rmtree(into)
        return cost

    yield Way(name="copy", move=move)


@contextmanager
def _pull(folder: Path, blob: Path, host: str, registry: int) -> Iterator[Way]:
    """Pull an image into an engine that the engine has pushed: compressed there, unpacked here."""
    if not find_engine():
        message = "no container engine: scripts/with-docker"
        raise NothingMeasured(message)
    name, context = f"{host}/{_IMAGE}:pushed", folder / "context"
    context.mkdir()
    (context / "blob").hardlink_to(blob)
    (context / "Dockerfile").write_text("FROM scratch\nCOPY blob /blob\n")
    engine_does("build", "-q", "-t", name, str(context))
    engine_does("push", "-q", name)
    engine_does("image", "rm", "-f", name)

    def move() -> Cost:
        cost = measured(
            lambda: engine_does("pull", "-q", name),
            lambda: cpu_seconds_of(registry) + sum(map(cpu_seconds_of, _engine())),
        )
        engine_does("image", "rm", "-f", name)
        _until_idle()
        return cost

    yield Way(name="pull", move=move)


def _until_idle() -> None:
    """Return when the engine has cleared up: that must not slow down whoever is measured next."""
    used = -1.0
    while (now := sum(map(cpu_seconds_of, _engine()))) - used > _IDLE_SHARE * _IDLE_SECONDS:
        used = now
        time.sleep(_IDLE_SECONDS)


def _engine() -> list[int]:
    """Return the processes of engines on this machine: of them one is busy."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if (process / "comm").read_text().strip() in {"dockerd", "containerd"}:
                found.append(int(process.name))
    return found


def _program(name: str) -> str:
    if (found := shutil.which(name)) is None:
        message = f"{name} is not installed: scripts/ensure-registry"
        raise NothingMeasured(message)
    return found


def _certificate(path: Path) -> Path:
    """Write a key and a certificate that its owner signs."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


def _tls_server(pipe: Pipe, path: Path, certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    tcp_server(pipe, path, wrap=lambda one: context.wrap_socket(one, server_side=True))


def _tls_client(pipe: Pipe, folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tcp_client(pipe, folder, wrap=context.wrap_socket)


def _libtorrent() -> Any:  # not everywhere installed, and its types are no matter of ours
    return importlib.import_module("libtorrent")


def _session() -> Any:
    libtorrent = _libtorrent()
    quiet = dict.fromkeys(("enable_dht", "enable_lsd", "enable_upnp", "enable_natpmp"), False)
    return libtorrent.session({"listen_interfaces": f"{HOST}:0", **quiet})


def _seed(pipe: Pipe, folder: Path) -> None:
    """Offer the blob by SHA-256 (BitTorrent v2), in pieces as large as our chunks."""
    libtorrent = _libtorrent()
    files = libtorrent.file_storage()
    libtorrent.add_files(files, str(folder / "blob"))
    made = libtorrent.create_torrent(files, 1024 * 1024, libtorrent.create_torrent.v2_only)
    libtorrent.set_piece_hashes(made, str(folder))
    torrent = libtorrent.bencode(made.generate())
    session = _session()
    _until_seeding(_added(session, torrent, folder))
    question(pipe)
    pipe.send((torrent, session.listen_port()))
    question(pipe)


def _leech(pipe: Pipe, folder: Path) -> None:
    session = _session()
    while (asked := question(pipe)) is not None:
        _, torrent, port = asked
        handle = _added(session, torrent, folder / "leeched")
        handle.connect_peer((HOST, port))
        _until_seeding(handle)
        pipe.send(True)  # noqa: FBT003  # an answer
        question(pipe)
        session.remove_torrent(handle, 1)  # with its files
        pipe.send(True)  # noqa: FBT003  # an answer


def _added(session: Any, torrent: bytes, folder: Path) -> Any:
    libtorrent = _libtorrent()
    info = libtorrent.torrent_info(libtorrent.bdecode(torrent))
    return session.add_torrent({"ti": info, "save_path": str(folder)})


def _until_seeding(handle: Any) -> None:
    while not handle.status().is_seeding:
        time.sleep(0.005)


def _children() -> float:
    """Return the processor seconds of programs that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def _registry(folder: Path) -> Iterator[tuple[str, int]]:
    """Run a registry on the loopback; yield where it is and its process."""
    program = _program("docker-registry")
    with socket.create_server((HOST, 0)) as probe:
        host = f"{HOST}:{probe.getsockname()[1]}"
    config = folder / "registry.yml"
    storage = {"filesystem": {"rootdirectory": str(folder / "registry")}}
    config.write_text(  # JSON is YAML
        json.dumps({"version": "0.1", "storage": storage, "http": {"addr": host}})
    )
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([program, "serve", str(config)], stdout=quiet, stderr=quiet)  # noqa: S603  # as above
    try:
        _await(host)
        yield host, process.pid
    finally:
        process.kill()
        process.wait()


def _await(host: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"http://{host}/v2/", timeout=5).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


def _push(host: str, blob: Path) -> None:
    """Put an image into the registry whose one layer is the blob."""
    parts = [_put_blob(host, data) for data in (b"{}", blob.read_bytes())]
    kinds = ("config.v1+json", "layer.v1.tar")
    config, layer = (
        {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": size}
        for kind, (digest, size) in zip(kinds, parts, strict=True)
    )
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]}
    url = f"http://{host}/v2/{_IMAGE}/manifests/1"
    _request("PUT", url, json.dumps(manifest).encode(), media_type)


def _put_blob(host: str, data: bytes) -> tuple[str, int]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    place = _request("POST", f"http://{host}/v2/{_IMAGE}/blobs/uploads/", b"", "")
    _request("PUT", f"{place}&digest={digest}", data, "application/octet-stream")
    return digest, len(data)


def _request(method: str, url: str, data: bytes, kind: str) -> str:
    """Return where the registry says that it goes on."""
    request = urllib.request.Request(  # noqa: S310  # a loopback address of ours
        url, data=data, method=method, headers={"Content-Type": kind}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # the same
        return str(answer.headers.get("Location", ""))


def main() -> None:
    """Print each way's rate and cost, and both against the yardstick's."""
    with ways() as found:
        rounds = [[way.move() for way in found] for _ in range(ROUNDS)]
    for number, way in enumerate(found):
        costs = [costs[number] for costs in rounds]
        pairs = [(one[0], one[number]) for one in rounds]
        rate = statistics.median(base.seconds / cost.seconds for base, cost in pairs)
        cpu = statistics.median(base.cpu_seconds / cost.cpu_seconds for base, cost in pairs)
        speed = BLOB_BYTES / 1e6 / statistics.median(cost.seconds for cost in costs)
        spent = statistics.median(cost.cpu_seconds for cost in costs)
        print(
            f"{way.name:<9} {speed:7.0f} MB/s  {spent:5.2f} CPU s  "
            f"rate {rate:.2f}  per CPU {cpu:.2f}"
        )


if __name__ == "__main__":
    main()
