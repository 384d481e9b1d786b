"""Which node a notebook speaks with: one that runs, one that is started now, or none."""

import os
from pathlib import Path

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from lc_jupyter import starting
from lc_jupyter.arguments import get_home, parse_line
from lc_jupyter.commands.family import Family, in_one_line
from lc_jupyter.display import Shown, paragraph, stack
from lc_jupyter.errors import UserError
from lc_jupyter.live import Live, tell
from lc_jupyter.overviews import show_status
from lc_jupyter.session import connect
from lc_jupyter.settings import current
from lc_node.api.endpoint import default_home
from lc_node.api.paths import expand


@magics_class
class LifeMagics(Family):
    """Connecting, starting and stopping."""

    @magic_arguments()
    @argument(
        "where",
        nargs="*",
        help="the home of a node of this machine; with --light nodes as tcp://KEY@HOST:PORT, or join lines",
    )
    @argument("--light", action="store_true", help="prove facts without a node of your own")
    @argument("--genesis", help="with --light: the graph's genesis file, to begin with")
    @argument("--checkpoint", help="with --light: a checkpoint of somebody whom you trust")
    @argument(
        "--trust-old",
        action="store_true",
        help="with --light: trust what is older than bonds last",
    )
    @line_magic
    @in_one_line
    def lc_connect(self, line: str) -> None:
        """Connect to a node of this machine, or, with ``--light``, prove facts by asking other nodes."""
        options = parse_line(self.lc_connect, line)
        if not options.light:
            home = get_home(options.where)
            chain = connect(home)
            self._connection.use(chain, None if home is None else Path(home))
            tell(show_status(chain.status()))
            return
        from lc_jupyter.light import connect_light  # noqa: PLC0415 (the import stays light)

        proven = connect_light(
            options.where,
            genesis=options.genesis,
            checkpoint=options.checkpoint,
            trust_old=options.trust_old,
        )
        shown = proven.status()
        self._connection.prove(proven)
        tell(shown)

    @magic_arguments()
    @argument(
        "--home", help="the node's home; else as c.LearningChain.node, $LC_NODE or $LC_HOME say"
    )
    @argument("--join", metavar="LINE", help="join a graph by a line of `lc-node invite`")
    @argument("--graph", metavar="NAME", help="found or join the graph of this name in the room")
    @argument(
        "--devnet",
        action="store_true",
        help="seven nodes that train and evaluate each other's jobs, for trying this out",
    )
    @line_magic
    @in_one_line
    def lc_start(self, line: str) -> None:
        """Start a node of your own, as a process that goes on when this notebook ends.

        A home that is on a graph goes on there. A new one gets a private graph of its own, on this machine only,
        unless --join or --graph says otherwise. ``%lc_stop`` stops it.
        """
        options = parse_line(self.lc_start, line)
        ways = [("--devnet", options.devnet), ("--join", options.join), ("--graph", options.graph)]
        chosen = [name for name, value in ways if value]
        if len(chosen) > 1:
            message = f"{' and '.join(chosen)} are different ways onto a graph: choose one."
            raise UserError(message)
        home = _home(options.home)
        if options.devnet:
            plan = starting.plan_devnet(home)
        else:
            way = (chosen[0], str(options.join or options.graph)) if chosen else ("--alone",)
            plan = starting.plan_node(home, way)
        with Live() as live:
            process = starting.start(plan, lambda text: live.show(paragraph(text, "dim"), text))
            live.keep(_started(plan, process, is_alone=not chosen))
        self._connection.use(connect(plan.home), plan.home)
        tell(show_status(self._chain.status()))

    @magic_arguments()
    @argument("--home", help="the node's home; the one that this notebook speaks with if left out")
    @line_magic
    @in_one_line
    def lc_stop(self, line: str) -> None:
        """Stop the node that ``%lc_start`` has started, also from another notebook."""
        home = _home(parse_line(self.lc_stop, line).home or self._connection.home)
        stopped = starting.stop(home)
        self._connection.close()
        text = f"Stopped process {stopped.process}; {stopped.again} starts it again, with all that it had."
        tell(paragraph(text, "good"))


def _home(named: str | Path | None) -> Path:
    """Return the home that is meant."""
    where = named or current().node or os.environ.get("LC_NODE") or default_home(os.environ)
    return expand(where).absolute()


def _started(plan: starting.Plan, process: int, *, is_alone: bool) -> Shown:
    parts = [
        paragraph(f"A node runs as process {process}, with home {plan.home}.", "good"),
        paragraph(f"It goes on when this notebook ends; %lc_stop stops it. Its log: {plan.log}"),
    ]
    if is_alone:
        text = (
            "A new home is on a private graph of its own. Nobody trains jobs there before others come: "
            "`lc-node invite` prints a line for them, and `%lc_start --devnet` starts seven nodes here."
        )
        parts.append(paragraph(text, "dim"))
    return stack(*parts)
