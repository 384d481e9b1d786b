"""Prints every request that our extension answers, as jupyter-server itself knows them: a verb and a pattern a line."""

from collections.abc import Iterator
from typing import Any

from jupyter_server.serverapp import ServerApp
from tornado.web import RequestHandler


def _find_handlers(router: Any) -> Iterator[tuple[str, type[RequestHandler]]]:
    """Return each pattern of a router and its handler."""
    for rule in router.rules:
        if hasattr(rule.target, "rules"):
            yield from _find_handlers(rule.target)
        elif isinstance(rule.target, type):
            yield rule.matcher.regex.pattern, rule.target


def main() -> None:
    """Make a server's application as its start does, without listening, and list what is ours of it."""
    app = ServerApp()
    app.initialize(argv=["--allow-root"], new_httpserver=False)
    for pattern, handler in _find_handlers(app.web_app.default_router):
        if handler.__module__.startswith("lc_jupyter"):
            for verb in handler.SUPPORTED_METHODS:
                name = verb.lower()
                if getattr(handler, name) is not getattr(RequestHandler, name):
                    print(verb, pattern)  # noqa: T201


main()
