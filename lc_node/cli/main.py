"""``lc-node``: the commands, and how they end."""

import importlib.metadata
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import click

from lc_node.cli import (
    audit_cmd,
    contract_cmd,
    credits_cmd,
    culprits_cmd,
    demo_cmd,
    genesis_cmd,
    identity,
    image_cmd,
    job_cmd,
    job_post_cmd,
    joining_cmd,
    light_cmd,
    node_cmd,
    policy_cmd,
    run_cmd,
    simulate_cmd,
)
from lc_node.cli.exits import EXIT_CODES_TEXT, Exit, explain

_MODULES: Final = (
    identity,
    genesis_cmd,
    joining_cmd,
    run_cmd,
    demo_cmd,
    node_cmd,
    policy_cmd,
    job_cmd,
    job_post_cmd,
    image_cmd,
    contract_cmd,
    credits_cmd,
    simulate_cmd,
    audit_cmd,
    culprits_cmd,
    light_cmd,
)
"""Each brings its ``COMMANDS``; a new command group is one more line here."""


@click.group(
    name="lc-node",
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


for _module in _MODULES:
    for _command in _module.COMMANDS:
        lc_node.add_command(_command)


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
