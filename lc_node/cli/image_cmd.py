"""``lc-node image``: the images that this node keeps; its subcommands lie in files of their own."""

from typing import Final

import click

from lc_node.cli import image_look_cmd, image_registry_cmd, image_store_cmd

_MODULES: Final = (image_store_cmd, image_registry_cmd, image_look_cmd)
"""Each brings its ``COMMANDS``; another file of subcommands is one more name here."""


@click.group()
def image() -> None:
    """Images: brought here from registries and files, looked at, handed on.

    IMAGE is a name, or a digest or the beginning of one.
    """


for _module in _MODULES:
    for _command in _module.COMMANDS:
        image.add_command(_command)

COMMANDS: Final[tuple[click.Command, ...]] = (image,)
