"""Requests to one registry: whereto, as whom, and what its answers mean."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from yarl import URL

from lc_node.adapters.registry_auth import (
    TOKEN_BYTES_MAX,
    Challenge,
    basic_header,
    read_challenge,
    read_token,
)
from lc_node.adapters.registry_credentials import Credentials
from lc_node.adapters.registry_hosts import Hosts, Resolver
from lc_node.ports.registry import (
    ImageUnknown,
    RegistryBusy,
    RegistryDenied,
    RegistryError,
    RegistryMistaken,
    RegistryUnreachable,
)

REDIRECTS_MAX: Final = 5
CONNECT_SECONDS: Final = 30.0
SILENT_SECONDS: Final = 60.0
"""So long may a registry say nothing at all."""

BUFFER_BYTES: Final = 128 * 1024
"""Read ahead at most twice of this: what is read and not yet taken is lost when a connection breaks."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CREATED: Final = frozenset(
    {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.PARTIAL_CONTENT}
)
_RETRY_AFTER_MAX: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Whom we visit, what for, and as whom."""

    hosts: Hosts
    host: str
    scope: str
    """``repository:NAME:pull``, of distribution ``spec/auth/scope``."""
    credentials: Credentials | None
    tokens: dict[tuple[str, str, str], str] = field(default_factory=dict, repr=False)
    """The header that worked last, by host, scope and user."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What a token is for."""
        return self.host, self.scope, self.credentials.user if self.credentials else ""


@asynccontextmanager
async def visiting(visit: Visit) -> AsyncIterator["RegistrySession"]:
    """Connect to a registry for as long as the body runs; no proxies, no cookies, nothing decompressed."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=Resolver(visit.hosts, visit.host), use_dns_cache=False, limit=4
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(
            total=None, connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS
        ),
        headers={"User-Agent": "learningchain", "Accept-Encoding": "identity"},
        auto_decompress=False,
        read_bufsize=BUFFER_BYTES,
    ) as http:
        yield RegistrySession(visit, http)


class RegistrySession:
    """Asks one registry; whatever fails is one of the errors of ``ports.registry``."""

    def __init__(self, visit: Visit, http: aiohttp.ClientSession) -> None:
        """Ask over an open session."""
        self.host = visit.host
        self.base = visit.hosts.url(visit.host)
        self._visit = visit
        self._http = http

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: URL,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Any] = lambda: None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the answer to a request, sent again if the registry wants to know who we are.

        Raises:
            RegistryError: one subclass a cause.
        """
        with self._translating():
            response = await self._follow(method, url, headers or {}, body)
            try:
                if response.status == HTTPStatus.UNAUTHORIZED and self._is_own(response.url):
                    challenge = read_challenge(response.headers.getall("WWW-Authenticate", []))
                    response.close()
                    await self._introduce(challenge)
                    response = await self._follow(method, url, headers or {}, body)
                self._validate(response)
                yield response
            finally:
                response.close()

    def location(self, response: aiohttp.ClientResponse) -> URL:
        """Return where an answer sends us.

        Raises:
            RegistryMistaken: nowhere.
            RegistryNotAllowed: where we do not go.
        """
        try:
            url = response.url.join(URL(response.headers.get("Location", ""), encoded=True))
        except ValueError:
            url = URL()
        if not url.host or not response.headers.get("Location"):
            raise RegistryMistaken(self.host, "it sends us nowhere")
        self._visit.hosts.validate(url, self.host)
        return url.with_fragment(None)

    async def _follow(
        self, method: str, url: URL, headers: Mapping[str, str], body: Callable[[], Any]
    ) -> aiohttp.ClientResponse:
        """Send a request, and a reading one whereto it is redirected; elsewhere nobody learns who we are."""
        for _ in range(REDIRECTS_MAX + 1):
            known = self._visit.tokens.get(self._visit.key)
            ours = {"Authorization": known} if known and self._is_own(url) else {}
            response = await self._http.request(
                method, url, headers={**headers, **ours}, data=body(), allow_redirects=False
            )
            if response.status not in _REDIRECTS or method not in {"GET", "HEAD"}:
                return response
            response.close()
            url = self.location(response)
        raise RegistryMistaken(self.host, f"it redirects more than {REDIRECTS_MAX} times")

    def _is_own(self, url: URL) -> bool:
        return url.origin() == self.base.origin()

    async def _introduce(self, challenge: Challenge | None) -> None:
        """Find the header by which the registry knows us.

        Raises:
            RegistryDenied: it wants more than we have.
        """
        credentials, key = self._visit.credentials, self._visit.key
        self._visit.tokens.pop(key, None)
        if challenge is None:
            raise RegistryDenied(
                self.host, "it wants to know who we are in a way that is not known here"
            )
        if challenge.realm:
            self._visit.tokens[key] = f"Bearer {await self._token(challenge)}"
        elif credentials is not None:
            self._visit.tokens[key] = basic_header(credentials)
        else:
            raise self._denied()

    async def _token(self, challenge: Challenge) -> str:
        credentials = self._visit.credentials
        try:
            url = URL(challenge.realm)
        except ValueError:
            url = URL()
        if not url.host:
            raise RegistryMistaken(self.host, "it sends us nowhere for a token")
        self._visit.hosts.validate(url, self.host)
        # Asked for what the whole visit needs, not for one request: a push reads first.
        same = challenge.scope.rpartition(":")[0] in {"", self._visit.scope.rpartition(":")[0]}
        scope = self._visit.scope if same else challenge.scope
        query = {"service": challenge.service, "scope": scope}
        headers = {"Authorization": basic_header(credentials)} if credentials else {}
        async with self._http.get(
            url.update_query({name: value for name, value in query.items() if value}),
            headers=headers,
            allow_redirects=False,
        ) as response:
            self._validate(response)
            token = read_token(await read_at_most(response, TOKEN_BYTES_MAX, self.host))
        if not token:
            raise RegistryDenied(self.host, "it gave no token")
        return token

    def _validate(self, response: aiohttp.ClientResponse) -> None:
        """Say what an answer means that is not the one hoped for.

        Raises:
            RegistryError: one subclass a cause.
        """
        status = response.status
        if status in _CREATED:
            return
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise self._denied()
        if status == HTTPStatus.NOT_FOUND:
            raise ImageUnknown(
                self.host,
                "it has no such image, or does not show it; check its name and `docker login`",
            )
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            after = response.headers.get("Retry-After", "")
            seconds = (
                min(int(after), _RETRY_AFTER_MAX) if after.isascii() and after.isdigit() else 0
            )
            raise RegistryBusy(
                self.host, "it takes no more requests for now (429); try again later", seconds
            )
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RegistryUnreachable(self.host, f"it fails ({status}); try again later")
        raise RegistryMistaken(self.host, f"it answers {status}")

    def _denied(self) -> RegistryDenied:
        if self._visit.credentials is None:
            return RegistryDenied(
                self.host,
                f"it wants credentials; `docker login {self.host}` writes them where [images] credentials looks",
            )
        return RegistryDenied(
            self.host, f"it refuses the credentials of {self._visit.credentials.user}"
        )

    def _translating(self) -> "_Translating":
        return _Translating(self.host)


class _Translating:
    """Turns the library's errors into ours, without addresses in them: those may carry signatures."""

    def __init__(self, host: str) -> None:
        self._host = host

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, aiohttp.ClientError | TimeoutError):
            raise _translated(self._host, error) from None


def _translated(host: str, error: aiohttp.ClientError | TimeoutError) -> RegistryError:
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            why = (
                "its TLS certificate is not trusted; SSL_CERT_FILE names an authority of your own, and "
                f"http://{host} in [images] registries speaks in the clear"
            )
            return RegistryMistaken(host, why)
        case aiohttp.InvalidURL() | aiohttp.ClientResponseError():
            return RegistryMistaken(host, "its answer is malformed")
        case TimeoutError():
            why = "it does not answer in time"
        case aiohttp.ClientConnectorError():
            why = f"it cannot be reached ({error.os_error.strerror})"
        case _:
            why = "it broke off"
    return RegistryUnreachable(host, why)


async def read_at_most(response: aiohttp.ClientResponse, bytes_max: int, host: str) -> bytes:
    """Read a small answer.

    Raises:
        RegistryMistaken: it is longer.
    """
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > bytes_max:
            raise RegistryMistaken(host, f"its answer has more than {bytes_max} bytes")
    return bytes(data)
