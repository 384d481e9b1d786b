"""The own node's policy in a notebook: shown, and changed in what is named."""

import pytest
from msgspec.structs import replace

from lc_node.api.schema import Resources
from tests.api.sample_service import POLICY
from tests.jupyter.desk import Desk
from tests.jupyter.shells import Shell


def test_the_policy_is_shown(notebook: Shell, desk: Desk) -> None:
    assert desk.home.exists()

    assert "bounty at least     1 credits" in notebook.run("%lc_policy").out


def test_only_what_is_named_changes(notebook: Shell, desk: Desk) -> None:
    ran = notebook.run("%lc_policy --work off --bounty-min 2.5 --cpus 1.5 --memory 4G")

    offered = replace(POLICY.offered, millicpus=1_500, memory_bytes=4 * 2**30)
    assert isinstance(offered, Resources)
    wished = replace(POLICY, work=False, bounty_min=2_500_000, offered=offered)
    assert desk.service.policy_now == wished
    assert "takes jobs          no" in ran.out


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("--jobs-at-once many", "--jobs-at-once many is no number up to 256"),
        ("--memory lots", "--memory"),
        ("--bounty 5", "%lc_policy has no option --bounty"),
        ("--work perhaps", "%lc_policy? explains it."),
    ],
)
def test_a_slip_is_one_line_and_changes_nothing(
    notebook: Shell, desk: Desk, line: str, why: str
) -> None:
    ran = notebook.run(f"%lc_policy {line}")

    assert ran.is_one_line
    assert why in ran.err
    assert desk.service.policy_now == POLICY
