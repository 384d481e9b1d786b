"""Real registries on loopback: Debian's docker-registry, as it is, behind passwords, behind tokens, behind a bad line."""

import asyncio
import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias, cast
from urllib.error import HTTPError, URLError

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

DOCKER_REGISTRY = shutil.which("docker-registry")
needs_registry = pytest.mark.skipif(
    DOCKER_REGISTRY is None and "CI" not in os.environ,
    reason="no docker-registry; scripts/ensure-registry",
)
USER, PASSWORD = "ali", "open sesame"
HTPASSWD = "ali:$2b$04$ot0isQpV1rY6mY08R2vATuuRnAvUa4cg5XVq6NhaDdZ8OPdz7bIP2\n"
Answer: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
_STARTS = 3
SERVICE, ISSUER = "the registry", "the doorman"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(folder: Path, auth: dict[str, object] | None = None) -> Iterator[str]:
    """Run a registry and yield its host and port."""
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(_STARTS):
        host = f"127.0.0.1:{free_port()}"
        process = _started(folder, host, auth)
        try:
            # Another program may have taken the port meanwhile.
            if _answers(host, process):
                yield host
                return
        finally:
            process.kill()
            process.wait()
    message = f"the registry does not start: {(folder / 'log').read_text()}"
    raise AssertionError(message)


def _started(folder: Path, host: str, auth: dict[str, object] | None) -> "subprocess.Popen[bytes]":
    assert DOCKER_REGISTRY is not None, "scripts/ensure-registry installs it"
    config = folder / "config.yml"
    # JSON is YAML.
    config.write_text(
        json.dumps(
            {
                "version": "0.1",
                "log": {"level": "warn", "accesslog": {"disabled": False}},
                "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}},
                "http": {"addr": host},
                **({"auth": auth} if auth else {}),
            }
        )
    )
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([DOCKER_REGISTRY, "serve", str(config)], stdout=log, stderr=log)


def _answers(host: str, process: "subprocess.Popen[bytes]") -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://{host}/v2/", timeout=5).close()  # our own
        except HTTPError as error:
            error.close()
            return True  # if only to ask who we are
        except (URLError, OSError):
            time.sleep(0.02)
        else:
            return process.poll() is None
    return False


def passwords(folder: Path) -> dict[str, object]:
    """Return the settings of a registry that knows one user."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "htpasswd").write_text(HTPASSWD)
    return {"htpasswd": {"realm": "here", "path": str(folder / "htpasswd")}}


def login(path: Path, host: str, user: str = USER, password: str = PASSWORD) -> Path:
    """Write credentials as ``docker login`` does."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return path


@dataclass
class Doorman:
    """Gives the tokens for which a registry asks, as distribution's ``spec/auth/jwt`` has them."""

    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Each asking: the scope, and the Authorization header."""

    def __post_init__(self) -> None:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ISSUER)])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def settings(self, folder: Path, realm: str) -> dict[str, object]:
        """Return the settings of a registry that sends its guests here."""
        folder.mkdir(parents=True, exist_ok=True)
        bundle = folder / "bundle.pem"
        bundle.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return {
            "token": {
                "realm": realm,
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(bundle),
            }
        }

    async def answer(self, request: web.Request) -> web.Response:
        """Give whoever asks what he asks for; to push one must be known."""
        authorization = request.headers.get("Authorization", "")
        scope = request.query["scope"]
        self.asked.append((scope, authorization))
        kind, name, actions = scope.split(":")
        known = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if authorization and authorization != f"Basic {known}":
            return web.Response(status=401)
        granted = [each for each in actions.split(",") if each == "pull" or authorization]
        access: list[dict[str, object]] = [{"type": kind, "name": name, "actions": granted}]
        return web.json_response({"token": self._token(access)})

    def _token(self, access: list[dict[str, object]]) -> str:
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": SERVICE,
            "sub": USER,
            "nbf": now - 60,
            "iat": now - 60,
            "exp": now + 600,
            "jti": "1",
            "access": access,
        }
        signed = b".".join(_url64(json.dumps(part).encode()) for part in (header, claims))
        signature = self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return (signed + b"." + _url64(signature)).decode()


def _url64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@asynccontextmanager
async def serving(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run a web server of the tests' own and yield its host and port."""
    runner = web.ServerRunner(web.Server(cast("Any", answer)))
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class BadLine:
    """A TCP proxy that cuts each of its first connections after so many bytes of answer."""

    target: str
    cuts: list[int]
    carried: list[int] = field(default_factory=list)
    """Bytes of answer, by connection."""
    heads: list[bytes] = field(default_factory=list)
    """What was asked first over each connection."""
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(asyncio.CancelledError):  # the end of the test; asyncio would log it
            await self._carry(reader, writer)
        self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.target.rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        number = len(self.carried)
        self.carried.append(0)
        self.heads.append(b"")
        left = self.cuts.pop(0) if self.cuts else None
        try:
            async with asyncio.TaskGroup() as group:
                there = group.create_task(self._ask(number, reader, far_writer))
                while data := await far_reader.read(65536):
                    data = data if left is None else data[:left]
                    left = None if left is None else left - len(data)
                    writer.write(data)
                    await writer.drain()
                    self.carried[number] += len(data)
                    if left == 0:
                        break
                there.cancel()
            writer.close()  # what was sent arrives, and nothing more
            await writer.wait_closed()
        except* OSError:
            pass  # the other side was quicker to hang up
        finally:
            for each in (writer, far_writer):
                each.transport.abort()

    async def _ask(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            self.heads[number] = self.heads[number] or data
            writer.write(data)
            with suppress(OSError):
                await writer.drain()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Run the proxy and yield its host and port."""
        server = await asyncio.start_server(self.carry, "127.0.0.1", 0)
        try:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in tuple(self._tasks):
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)
