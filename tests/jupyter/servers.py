"""A real jupyter-server, started as its user would, and a browser's ways to speak to it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClientConnection, websocket_connect

TOKEN = "e1f0c5"  # noqa: S105  # of a server that lives for these tests
BASE = "/user/ann/"
"""As behind a JupyterHub."""

API = "learningchain/api/"
START_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """What a request was answered with."""

    code: int
    body: Any
    cookies: str = ""
    """As a browser sends them back."""


class Server:
    """One jupyter-server with the extension, which finds the node of a home.

    ``app`` is the program that serves, ``base`` what all addresses begin with, ``root`` the folder of notebooks.
    """

    def __init__(
        self,
        folder: Path,
        node_home: Path,
        *,
        app: str = "jupyter_server",
        base: str = BASE,
        options: Sequence[str] = (),
    ) -> None:
        self.root = folder / "notebooks"
        self.root.mkdir()
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_NODE": str(node_home),
            "JUPYTER_RUNTIME_DIR": str(runtime),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
            "IPYTHONDIR": str(folder / "ipython"),
        }
        words = (
            *(sys.executable, "-m", app, "--no-browser", "--allow-root"),
            *("--ip=127.0.0.1", "--port=0", f"--IdentityProvider.token={TOKEN}"),
            *(f"--ServerApp.base_url={base}", f"--ServerApp.root_dir={self.root}"),
            *options,
        )
        self._log = folder / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
        self.host = f"127.0.0.1:{self._wait(runtime / f'jpserver-{self._process.pid}.json')}"
        self.url = f"http://{self.host}{base}"

    @property
    def log(self) -> str:
        """What it said so far."""
        return self._log.read_text()

    async def ask(
        self,
        path: str,
        method: str = "GET",
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask the extension, with the token unless other headers are given."""
        request = HTTPRequest(
            f"{self.url}{API}{path}",
            method=method,
            headers=self._authorized() if headers is None else dict(headers),
            body=None if method == "GET" else json.dumps(body) if body is not None else "",
            follow_redirects=False,
        )
        found: HTTPResponse = await AsyncHTTPClient().fetch(request, raise_error=False)
        is_json = "json" in found.headers.get("Content-Type", "")
        cookies = "; ".join(
            line.partition(";")[0] for line in found.headers.get_list("Set-Cookie")
        )
        return Answer(found.code, json.loads(found.body) if is_json else found.body, cookies)

    async def log_in(self) -> dict[str, str]:
        """Return the headers of a browser that was given the token once, and keeps a cookie since."""
        answer = await self.ask(f"version?token={TOKEN}", headers={})
        assert answer.code == 200, answer
        return {"Cookie": answer.cookies}

    async def listen(
        self, path: str = "events", headers: Mapping[str, str] | None = None
    ) -> WebSocketClientConnection:
        """Open the WebSocket, with the token unless other headers are given."""
        return await websocket_connect(
            HTTPRequest(
                f"{self.url.replace('http', 'ws', 1)}{API}{path}",
                headers=self._authorized() if headers is None else dict(headers),
            )
        )

    def stop(self) -> None:
        """End it, and its kernels."""
        self._process.terminate()
        self._process.wait(START_SECONDS)

    def _authorized(self) -> dict[str, str]:
        return {"Authorization": f"token {TOKEN}"}

    def _wait(self, path: Path) -> int:
        """Return the port, once the server has written it down and listens."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self.log
            try:
                port = int(json.loads(path.read_text())["port"])
                socket.create_connection(("127.0.0.1", port)).close()
            except (FileNotFoundError, json.JSONDecodeError, ConnectionRefusedError):
                os.sched_yield()
            else:
                return port
        raise AssertionError(self.log)


async def hang_up(socket: WebSocketClientConnection) -> None:
    """Close a WebSocket, and see that it is closed: the test's loop ends with the test."""
    socket.close()
    async with asyncio.timeout(30):
        while await socket.read_message() is not None:
            continue
