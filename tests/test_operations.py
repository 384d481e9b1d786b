"""The pages for operators speak of what there is: every finding, and only metrics that exist."""

import re
from pathlib import Path

import pytest

from lc_node.ports.metrics import Kind
from lc_node.runtime.instruments import METRICS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "OPERATIONS.md").read_text()
ALERTS = (ROOT / "docs" / "operations" / "alerts.yml").read_text()
HEALTH = (ROOT / "lc_node" / "runtime" / "health.py").read_text()
OF_HISTOGRAMS = ("_bucket", "_count", "_sum")


def test_every_finding_is_explained() -> None:
    codes = set(re.findall(r'code=f?"(\w+)', HEALTH))
    codes |= set(re.findall(r'code="(\w+)" if is_full else "(\w+)"', HEALTH).pop())

    table = PAGE[PAGE.index("| finding |") :]
    missing = [code for code in sorted(codes) if f"`{code}" not in table]

    assert (len(codes) >= 12, missing) == (True, [])


@pytest.mark.parametrize("text", [PAGE, ALERTS], ids=["page", "alerts"])
def test_metrics_that_are_spoken_of_exist(text: str) -> None:
    known = {one.name for one in METRICS} | {
        one.name + suffix
        for one in METRICS
        if one.kind is Kind.HISTOGRAM
        for suffix in OF_HISTOGRAMS
    }
    named = set(re.findall(r"\blc_[a-z_]+\b", text)) - {"lc_status"}  # the magic

    assert named
    assert named <= known


def test_alerts_read_counters_by_their_growth() -> None:
    counters = [one.name for one in METRICS if one.kind is Kind.COUNTER]
    growing = re.findall(r"(?:rate|increase)\((\w+)", ALERTS)
    used = [name for name in re.findall(r"\blc_[a-z_]+\b", ALERTS) if name in counters]

    assert sorted(used) == sorted(name for name in growing if name in counters)
