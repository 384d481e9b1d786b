"""Pictures of pages, small enough to be kept in the repository."""

from pathlib import Path
from typing import Final

from PIL import Image
from playwright.async_api import Locator, Page

COLOURS: Final = 96
"""Text and lines need no more, and the files become a third."""


class Shots:
    """A folder of pictures."""

    def __init__(self, folder: Path, *, are_kept: bool) -> None:
        """Put pictures into ``folder``; those that are kept may wait until there is more to see."""
        self.are_kept = are_kept
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    async def take(self, name: str, what: Page | Locator) -> None:
        """Keep a picture of a page or of a part of it, as PNG."""
        path = self.folder / f"{name}.png"
        await what.screenshot(path=path, animations="disabled", caret="hide")
        with Image.open(path) as picture:
            small = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        small.save(path, optimize=True)
