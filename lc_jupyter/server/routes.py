"""Which request of a browser is which call of the node: one table."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from lc_jupyter.errors import UserError
from lc_node.api.calls import (
    Call,
    Cancel,
    Check,
    Extend,
    FetchModel,
    GetAccount,
    GetImages,
    GetJob,
    GetJobs,
    GetMachine,
    GetPeers,
    GetPolicy,
    GetPrice,
    GetStatus,
    GetWallet,
    Hello,
    PullImage,
    SetPolicy,
    StopRun,
    Submit,
    TopUp,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One request: its verb, its path below ``learningchain/api``, and the call that it makes."""

    verb: str
    path: str
    """A part in braces becomes the call's field of that name."""
    call: type[Call[Any]]
    body: str = ""
    """The call's field that the request's JSON is; empty: its members are fields."""

    @property
    def pattern(self) -> str:
        """The path as a regular expression."""
        return re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", self.path)


ROUTES: Final = (
    Route(verb="GET", path="version", call=Hello),
    Route(verb="GET", path="status", call=GetStatus),
    Route(verb="GET", path="peers", call=GetPeers),
    Route(verb="GET", path="machine", call=GetMachine),
    Route(verb="GET", path="wallet", call=GetWallet),
    Route(verb="GET", path="accounts/{address}", call=GetAccount),
    Route(verb="GET", path="policy", call=GetPolicy),
    Route(verb="PUT", path="policy", call=SetPolicy, body="policy"),
    Route(verb="GET", path="images", call=GetImages),
    Route(verb="POST", path="images/pull", call=PullImage),
    Route(verb="POST", path="price", call=GetPrice, body="request"),
    Route(verb="POST", path="check", call=Check),
    Route(verb="GET", path="jobs", call=GetJobs),
    Route(verb="POST", path="jobs", call=Submit, body="request"),
    Route(verb="GET", path="jobs/{job}", call=GetJob),
    Route(verb="POST", path="jobs/{job}/top-up", call=TopUp),
    Route(verb="POST", path="jobs/{job}/extend", call=Extend),
    Route(verb="POST", path="jobs/{job}/cancel", call=Cancel),
    Route(verb="POST", path="jobs/{job}/stop", call=StopRun),
    Route(verb="POST", path="jobs/{job}/model", call=FetchModel),
)


class BadRequest(UserError):
    """A request says something that its call does not know, or not in that form."""


def call_of(
    route: Route,
    parts: Mapping[str, str],
    query: Mapping[str, Sequence[str]],
    body: bytes,
) -> Call[Any]:
    """Return the call that a request makes.

    Args:
        route: its line of the table.
        parts: what stood in the path's braces.
        query: what stood behind the question mark, by name.
        body: JSON, or nothing.

    Raises:
        BadRequest: a field is unknown, missing, or of another form.
    """
    try:
        said = {**_asked(route, query), **_told(route, body), **parts}
        _refuse_unknown(route, said)
        call: Call[Any] = msgspec.convert(said, route.call, strict=False)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"{route.verb} {route.path}: {error}.") from error
    return call


def _asked(route: Route, query: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """Return the fields of a query; a tuple's name may stand there several times."""
    plural = {
        field.name
        for field in msgspec.structs.fields(route.call)
        if isinstance(field.default, tuple)
    }
    return {
        name: tuple(values) if name in plural else values[-1] for name, values in query.items()
    }


def _told(route: Route, body: bytes) -> dict[str, object]:
    if not body:
        return {}
    said = msgspec.json.decode(body)
    if route.body:
        return {route.body: said}
    if not isinstance(said, dict):
        raise BadRequest(f"{route.verb} {route.path} takes a JSON object.")
    return said


def _refuse_unknown(route: Route, said: Mapping[str, object]) -> None:
    """Refuse a field that the call does not have, rather than do something else than was meant."""
    known = route.call.__struct_fields__
    for name in said:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else "."
            raise BadRequest(f"{route.verb} {route.path} has no field {name!r}{hint}")
