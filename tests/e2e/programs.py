"""Nodes that behave otherwise, as programs of their own: how they are started, and how they end."""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Final, TypeAlias

from lc_node.chain.job import Job
from lc_node.chain.types import Millis, PublicKey
from lc_node.runtime.devnet import Devnet, Place
from lc_node.runtime.home import Home
from lc_node.runtime.node import Node, Settings
from lc_node.worker.duties import Action, Mine

Decide: TypeAlias = Callable[[Job, PublicKey, Mine, Millis], tuple[Action, ...]]
"""Rules of conduct."""

PROGRAMS: Final = "tests."
"""What the names of our modules begin with; other conducts are the node's own."""


def run_until_eof(home: Home, decide: Decide) -> None:
    """Run a node under other rules of conduct until stdin ends."""
    asyncio.run(_live(home, decide))


class WithPrograms(Devnet):
    """A devnet in which some nodes run a module of the tests, which their conduct names."""

    def command(self, place: Place) -> list[str]:
        """Return the command line of a node."""
        conduct = place.role.conduct
        if not conduct.startswith(PROGRAMS):
            return super().command(place)
        return [sys.executable, "-m", conduct, str(place.home.path)]


async def _live(home: Home, decide: Decide) -> None:
    settings = Settings(
        home=home,
        keystore=home.keystore(None),
        config=home.config(),
        genesis=home.genesis(),
        decide=decide,
    )
    node = Node.open(settings)
    task = asyncio.current_task()
    assert task is not None, "asyncio.run makes a task"
    asyncio.get_running_loop().add_reader(0, lambda: os.read(0, 4096) or task.cancel())
    await node.run()
