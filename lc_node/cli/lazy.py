"""A group of commands whose modules are imported when one of theirs is asked for: ``status`` needs no node's parts."""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that knows the names of its commands, and where they are.

    After click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands.
    """

    def __init__(self, *arguments: Any, modules: Mapping[str, str], **words: Any) -> None:
        """Make a group.

        Args:
            arguments: as of ``click.Group``.
            modules: by a command's name, the module that has it in its ``COMMANDS``; help lists them in this order.
            words: as of ``click.Group``.
        """
        super().__init__(*arguments, **words)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names; nothing is imported for it."""
        return [*self._modules, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None if there is none of this name."""
        if cmd_name not in self._modules:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(self._modules[cmd_name])
        found: dict[str, click.Command] = {one.name: one for one in module.COMMANDS}
        return found[cmd_name]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments begin with.

        Raises:
            NoSuchCommand: there is none; it names those that are meant perhaps, of all and not of those imported.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            names = self.list_commands(ctx)
            raise click.NoSuchCommand(error.command_name, possibilities=names, ctx=ctx) from error
