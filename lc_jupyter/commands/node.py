"""What a notebook asks its node about itself: state, credits, peers, policy."""

from typing import Final

from IPython.core.magic import line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from lc_jupyter.arguments import parse_line
from lc_jupyter.commands.family import Family, in_one_line
from lc_jupyter.live import tell
from lc_jupyter.overviews import show_account, show_peers, show_status
from lc_jupyter.policies import change_policy, show_policy
from lc_jupyter.wallets import show_wallet

_CHANGES_MAX: Final = 10_000


@magics_class
class NodeMagics(Family):
    """The node, its credits, its peers, and which jobs it takes."""

    @magic_arguments()
    @line_magic
    @in_one_line
    def lc_status(self, line: str) -> None:
        """Show the node at a glance."""
        parse_line(self.lc_status, line)
        tell(
            self._connection.proven.status()
            if self._connection.proven
            else show_status(self._chain.status())
        )

    @magic_arguments()
    @argument("address", nargs="?", help="an account; the own one if left out")
    @line_magic
    @in_one_line
    def lc_wallet(self, line: str) -> None:
        """Show the own credits, and what they were earned and spent for; or another account's."""
        address = parse_line(self.lc_wallet, line).address
        if self._connection.proven:
            tell(self._connection.proven.wallet(address))
        elif address:
            tell(show_account(self._chain.account(address)))
        else:
            wallet = self._chain.wallet(changes_max=_CHANGES_MAX)
            tell(show_wallet(wallet, self._chain.status().clock))

    @magic_arguments()
    @line_magic
    @in_one_line
    def lc_peers(self, line: str) -> None:
        """List the connected nodes."""
        parse_line(self.lc_peers, line)
        tell(show_peers(self._chain.peers(), self._chain.status().clock))

    @magic_arguments()
    @argument("--work", choices=("on", "off"), help="whether to take jobs at all")
    @argument("--bounty-min", help="credits that a job must offer, e.g. 5")
    @argument("--time-left-min", help="jobs that end sooner are not taken, e.g. 1m")
    @argument("--trial-time-max", help="the longest trial, e.g. 30m")
    @argument("--image-bytes-max", help="the largest image, e.g. 5G")
    @argument("--jobs-at-once", help="how many jobs are trained at once, e.g. 2")
    @argument("--cpus", help="processors for all trainings together, e.g. 1.5")
    @argument("--memory", help="memory for all trainings together, e.g. 4G")
    @argument("--disk", help="disk for all trainings together, e.g. 20G")
    @argument("--gpus", help="GPUs for all trainings together, e.g. 1")
    @line_magic
    @in_one_line
    def lc_policy(self, line: str) -> None:
        """Show which jobs the own node takes, or change what is named."""
        wished = vars(parse_line(self.lc_policy, line))
        policy = change_policy(self._chain.policy(), wished)
        named = any(value is not None for value in wished.values())
        tell(show_policy(self._chain.set_policy(policy) if named else policy))
