"""``lc-node``: the commands, and how they end."""

import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import click

from lc_node.cli.exits import EXIT_CODES_TEXT, Exit, explain
from lc_node.cli.lazy import LazyGroup

_WHERE: Final = {
    "init": "identity",
    "key": "identity",
    "genesis": "genesis_cmd",
    "invite": "joining_cmd",
    "join": "joining_cmd",
    "run": "run_cmd",
    "doctor": "run_cmd",
    "demo": "demo_cmd",
    "devnet": "demo_cmd",
    "status": "node_cmd",
    "peers": "node_cmd",
    "policy": "policy_cmd",
    "jobs": "job_cmd",
    "job": "job_post_cmd",
    "image": "image_cmd",
    "contract": "contract_cmd",
    "wallet": "credits_cmd",
    "send": "credits_cmd",
    "bond": "credits_cmd",
    "unbond": "credits_cmd",
    "simulate": "simulate_cmd",
    "audit": "audit_cmd",
    "culprits": "culprits_cmd",
    "light": "light_cmd",
}
"""Which module of this package brings a command in its ``COMMANDS``; a new one is one more line here."""


@click.group(
    name="lc-node",
    cls=LazyGroup,
    modules={name: f"lc_node.cli.{module}" for name, module in _WHERE.items()},
    epilog=EXIT_CODES_TEXT,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="The node's home [default: $LC_HOME, else ~/.local/share/learningchain].",
)
@click.version_option(importlib.metadata.version("learningchain"), package_name="learningchain")
def lc_node(**_home: Path | None) -> None:
    """Run a LearningChain node, and speak with the one that runs."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    try:
        code = lc_node.main(list(arguments), prog_name="lc-node", standalone_mode=False)
    except Exception as error:  # noqa: BLE001  # what is not ours is raised again
        return explain(error)
    return code if isinstance(code, int) else Exit.OK


def main() -> NoReturn:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))
