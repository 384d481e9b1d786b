"""``lc-node culprits``: who made two chains final, by the certificates of nodes on both."""

from pathlib import Path
from typing import Final

import click

from lc_node.cli.options import home_at, home_option, json_option
from lc_node.cli.output import print_json, print_table
from lc_node.runtime.culprits import Culprit, find_culprits


@click.command()
@click.argument(
    "others",
    nargs=-1,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
)
@home_option
@json_option
def culprits(others: tuple[Path, ...], home: Path | None, *, as_json: bool) -> None:
    """Name the validators that signed what no honest one signs both of.

    Each FILE is a copy of another node's votes.db: after "two chains are final", of a node on the other
    chain. Nothing is written; the nodes may run meanwhile.
    """
    found = find_culprits(home_at(home), others)
    if as_json:
        print_json(found)
        return
    print_table(
        ("account", "share", "epoch", "view", "signed"),
        [_row(culprit) for culprit in found],
        empty="These certificates convict nobody.",
    )


def _row(culprit: Culprit) -> tuple[str, ...]:
    return (
        culprit.address,
        f"{culprit.share_permille / 10:.1f} %",
        str(culprit.epoch),
        str(culprit.view),
        " and ".join(culprit.kinds),
    )


COMMANDS: Final[tuple[click.Command, ...]] = (culprits,)
