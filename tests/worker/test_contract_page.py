"""The page for authors of images, the schema and the code say the same."""

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from lc_node.chain.types import Digest, JobId, Millis
from lc_node.worker.contract import parse_line
from lc_node.worker.exchange import (
    Drawn,
    Judged,
    Line,
    NotDrawn,
    Refusal,
    SendLine,
    StopAsked,
    Taken,
)
from lc_node.worker.lines import BadLine
from lc_node.worker.request import Role, job_document
from lc_node.worker.session import TrainSession
from tests.worker.samples import SPEC
from tests.worker.test_session import TERMS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "CONTRACT.md").read_text(encoding="utf-8")
SCHEMA: dict[str, Any] = json.loads((DOCS / "contract-lc-1.schema.json").read_text("utf-8"))
JOB_KINDS = [one["$ref"].rpartition("/")[2] for one in SCHEMA["$defs"]["said_by_job"]["oneOf"]]


def examples(speaker: str) -> list[str]:
    blocks = re.findall(rf"^```jsonl {speaker}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def check(document: object, definition: str) -> None:
    schema = {"$ref": f"#/$defs/{definition}", "$defs": SCHEMA["$defs"]}
    import_module("jsonschema").validate(document, schema)


def example_of(definition: str) -> dict[str, Any]:
    """Return the page's example of a message with the most keys."""
    known = SCHEMA["$defs"][definition]["properties"]
    fitting: list[dict[str, Any]] = [
        found
        for found in map(json.loads, examples("job"))
        if found["lc"] == known["lc"]["const"]
        and found.get("kind") == known.get("kind", {}).get("const")
    ]
    return max(fitting, key=len)


@pytest.mark.parametrize("line", examples("job"))
def test_an_example_of_the_job_is_a_message_and_fits_the_schema(line: str) -> None:
    check(json.loads(line), "said_by_job")
    assert parse_line(line.encode()) is not None


@pytest.mark.parametrize("line", examples("node"))
def test_an_example_of_the_node_fits_the_schema(line: str) -> None:
    check(json.loads(line), "said_by_node")


def test_the_page_shows_every_message() -> None:
    shown = {json.loads(line)["lc"] for speaker in ("job", "node") for line in examples(speaker)}
    named = {
        one["properties"]["lc"]["const"]
        for one in SCHEMA["$defs"].values()
        if "lc" in one.get("properties", {})
    }

    assert shown == named


@pytest.mark.parametrize("definition", JOB_KINDS)
def test_a_message_with_an_unknown_key_is_refused(definition: str) -> None:
    fields = {**example_of(definition), "also": 1}

    with pytest.raises(BadLine, match="unknown key"):
        parse_line(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("definition", "key"),
    [
        (kind, key)
        for kind in JOB_KINDS
        for key in SCHEMA["$defs"][kind]["required"]
        if key != "lc"
    ],
)
def test_a_required_key_is_missed(definition: str, key: str) -> None:
    fields = example_of(definition)
    del fields[key]

    with pytest.raises(BadLine, match="is missing"):
        parse_line(json.dumps(fields).encode())


OPTIONAL = {"log": False, "step": None, "bytes": 5}


@pytest.mark.parametrize("definition", JOB_KINDS)
def test_every_optional_key_is_taken(definition: str) -> None:
    known = SCHEMA["$defs"][definition]
    optional = {key: OPTIONAL[key] for key in set(known["properties"]) - set(known["required"])}
    fields = {**example_of(definition), **optional}

    assert parse_line(json.dumps(fields).encode()) is not None


def test_what_a_session_answers_fits_the_schema() -> None:
    session = TrainSession(TERMS)
    ask = {"lc": "ask", "trial": 0, "name": "x", "kind": "int", "low": 1, "high": 2}
    report = {"lc": "report", "trial": 0, "step": 0, "loss": 0.5}
    events = (
        {"lc": "begin", "trial": 0},
        ask,
        Drawn(trial=0, name="x", value=1),
        report,
        Judged(trial=0, hopeless=False),
        {"lc": "model", "trial": 0, "file": "m"},
        Taken(trial=0),
        ask,
        NotDrawn(trial=0, text="no"),
        {"lc": "end", "trial": 0, "state": "failed"},
        StopAsked(),
        {"lc": "begin", "trial": 1},
    )

    said = []
    for event in events:
        told = Line(data=json.dumps(event).encode()) if isinstance(event, dict) else event
        outputs = session.handle(told, Millis(0))
        said += [json.loads(one.data) for one in outputs if isinstance(one, SendLine)]

    assert len(said) == 8
    for line in said:
        check(line, "said_by_node")


def test_the_page_and_the_schema_know_every_refusal() -> None:
    codes = SCHEMA["$defs"]["error"]["properties"]["code"]["enum"]

    assert codes == list(Refusal)
    assert all(f"| `{code}` |" in PAGE for code in codes)


@pytest.mark.parametrize("role", list(Role))
def test_the_job_document_fits_the_schema(role: Role) -> None:
    document = job_document(JobId(Digest(bytes(32))), SPEC, role, seed=1)

    check(json.loads(document), "job_json")


def test_the_page_s_job_document_fits_the_schema() -> None:
    (shown,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

    check(json.loads(shown), "job_json")
