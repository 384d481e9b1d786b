"""The node's API over a real jupyter-server: what is asked, refused, and kept from strangers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lc_jupyter.server.routes import ROUTES
from lc_node.api import calls, schema, schema_images
from tests.api.sample_service import ADDRESS, JOB, POLICY, REQUEST
from tests.jupyter.desk import Desk, story_of
from tests.jupyter.servers import API, Server


@pytest.mark.parametrize(
    ("path", "member", "value"),
    [
        ("version", "address", ADDRESS),
        ("status", "address", ADDRESS),
        ("wallet?changes_max=5", "address", ADDRESS),
        ("policy", "jobs_at_once", 1),
    ],
)
async def test_a_question_is_answered_in_json(
    server: Server, path: str, member: str, value: object
) -> None:
    answer = await server.ask(path)

    assert (answer.code, answer.body[member]) == (200, value)


async def test_jobs_are_filtered_by_what_stands_behind_the_question_mark(
    server: Server, node: Desk
) -> None:
    await server.ask("jobs?mine=true&phases=open&phases=settled&jobs_max=7")

    assert node.desk.asked_jobs == calls.GetJobs(
        mine=True, phases=(schema.Phase.OPEN, schema.Phase.SETTLED), jobs_max=7
    )


async def test_a_job_is_told_whole(server: Server, node: Desk) -> None:
    node.tell(story_of())

    answer = await server.ask(f"jobs/{JOB}")

    assert answer.code == 200
    assert answer.body["summary"]["job"] == JOB
    assert answer.body["events"][0]["code"] == "posted"


async def test_a_job_is_posted(server: Server, node: Desk) -> None:
    answer = await server.ask("jobs", "POST", msgspec.to_builtins(REQUEST))

    assert (answer.code, answer.body["job"]) == (200, JOB)
    assert node.desk.posted[-1] == REQUEST


async def test_an_action_takes_its_job_from_the_path(server: Server, node: Desk) -> None:
    answer = await server.ask(f"jobs/{JOB}/top-up", "POST", {"amount": 5_000_000})

    assert answer.code == 200
    assert node.desk.asked[-1] == calls.TopUp(job=JOB, amount=schema.MicroCredits(5_000_000))


async def test_the_images_of_the_node_are_told(server: Server, node: Desk) -> None:
    kept = schema_images.ImageView(image=schema.Digest("e" * 64), names=("line:1",), is_kept=True)
    node.desk.images_now = (kept,)

    answer = await server.ask("images")

    assert msgspec.convert(answer.body, tuple[schema_images.ImageView, ...]) == (kept,)


async def test_an_image_is_pulled_by_its_reference(server: Server) -> None:
    answer = await server.ask("images/pull", "POST", {"reference": "127.0.0.1:9/ann/job:1"})

    assert answer.code == 409
    assert "127.0.0.1:9" in answer.body["message"]


async def test_a_policy_is_replaced(server: Server, node: Desk) -> None:
    wished = msgspec.structs.replace(POLICY, jobs_at_once=3)

    answer = await server.ask("policy", "PUT", msgspec.to_builtins(wished))

    assert (answer.code, answer.body["jobs_at_once"]) == (200, 3)
    assert node.service.policy_now == wished
    node.service.policy_now = POLICY


@pytest.mark.parametrize(
    ("path", "method", "body", "code", "why"),
    [
        (f"jobs/{'b' * 64}", "GET", None, 404, "no job bbbbbbbb on this chain"),
        ("jobs/zz", "GET", None, 400, "GET jobs/{job}: "),
        ("jobs?minee=true", "GET", None, 400, "no field 'minee'; did you mean 'mine'?"),
        ("jobs?jobs_max=many", "GET", None, 400, "jobs_max"),
        ("jobs", "POST", {"title": "x"}, 400, "missing required field"),
        (f"jobs/{JOB}/top-up", "POST", [1], 400, "takes a JSON object"),
        ("status", "POST", {}, 405, "It takes GET."),
        ("machine", "GET", None, 502, "log"),
    ],
)
async def test_what_cannot_be_done_says_why(
    *, server: Server, path: str, method: str, body: object, code: int, why: str
) -> None:
    answer = await server.ask(path, method, body)

    assert answer.code == code
    assert why in answer.body["message"]


async def test_without_the_token_nothing_is_told_or_done_by_any_request_that_the_server_knows(
    server: Server, node: Desk, tmp_path: Path
) -> None:
    found = _list_requests(tmp_path)
    assert {("GET", "events"), *((route.verb, route.path) for route in ROUTES)} <= set(found)
    before = len(node.desk.asked), len(node.desk.posted)

    answers = {
        (verb, path, *headers.values()): await server.ask(
            path.format(job=JOB, address=ADDRESS),
            verb,
            {} if verb in {"POST", "PUT"} else None,
            headers=headers,
        )
        for verb, path in found
        for headers in ({}, {"Authorization": "token wrong"})
    }

    assert {asked: answer.code for asked, answer in answers.items() if answer.code != 403} == {}
    assert ADDRESS not in str(answers)
    assert (len(node.desk.asked), len(node.desk.posted)) == before


async def test_a_page_of_another_site_cannot_post_with_the_browser_s_cookie(
    server: Server, node: Desk
) -> None:
    cookie = await server.log_in()
    before = len(node.desk.asked)

    from_elsewhere = {**cookie, "Origin": "http://evil.example"}
    top_up = (f"jobs/{JOB}/top-up", "POST", {"amount": 1})
    answers = [await server.ask(*top_up, headers=from_elsewhere)]
    answers.append(await server.ask(*top_up, headers=cookie))  # without the page's own token

    assert [answer.code for answer in answers] == [404, 403]
    assert len(node.desk.asked) == before


async def test_a_mistake_of_the_node_shows_nothing_of_its_inside(server: Server) -> None:
    assert "secret" not in str((await server.ask("machine")).body)


def _list_requests(folder: Path) -> list[tuple[str, str]]:
    """Return a verb and a path for each request that a server with our extension answers.

    What a browser asks before a request to another site says nothing of the node: OPTIONS is not among them.
    """
    places = {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    listed = subprocess.run(
        (sys.executable, "-m", "tests.jupyter.server.listing"),
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **places},
        cwd=Path(__file__).parents[3],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    pairs = [line.split(" ", 1) for line in listed.splitlines()]
    paths = [
        (verb, re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern).rstrip("$").partition(API)[2])
        for verb, pattern in pairs
    ]
    return [(verb, path) for verb, path in paths if verb != "OPTIONS"]
