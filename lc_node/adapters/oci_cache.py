"""Unpacked trees in a folder, each whole or not there, those used longest ago removed first."""

import asyncio
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from lc_node.chain.types import ByteCount, Digest

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_RECORD: Final = "image.json"
_NEW: Final = "new-"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a tree, written beside it."""

    bytes: int
    """What it added to the disk, in whole blocks."""
    boot_id: str
    """A tree of an earlier boot is made anew: who knows what of it had reached the disk."""
    argv: tuple[str, ...] = ()
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)
    working_folder: str = "/"
    below: str = ""
    """The tree that this one shares its lower layers with, by hard links; empty: none."""


class _Tree(NamedTuple):
    """When a tree was used last, and what is known of it."""

    used: int
    record: Record


class TreeCache:
    """Trees by a digest that names their content; for one user at a time."""

    def __init__(self, folder: Path, *, bytes_max: ByteCount) -> None:
        """Take over a folder, and remove from it what a crash left half done."""
        self._folder = folder
        self._bytes_max = bytes_max
        self._boot_id = BOOT_ID.read_text().strip()
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for leftover in folder.glob(f"{_NEW}*"):
            shutil.rmtree(leftover)

    def tree(self, name: Digest) -> Path:
        """Return where the tree of a name lies, or would lie."""
        return self._folder / name.hex() / "rootfs"

    async def find(self, name: Digest) -> Record | None:
        """Return what is known of a tree that is there, which counts as a use."""
        file = self._folder / name.hex() / _RECORD
        try:
            record = msgspec.json.decode(file.read_bytes(), type=Record)
        except FileNotFoundError:
            return None
        if record.boot_id != self._boot_id:
            await asyncio.to_thread(self._discard, file.parent)
            return None
        os.utime(file)
        return record

    async def add(
        self,
        name: Digest,
        fill: Callable[[Path], Awaitable[int]],
        *,
        argv: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        working_folder: str = "/",
        below: Digest | None = None,
    ) -> Record:
        """Let ``fill`` write into an empty tree and return its bytes; publish it if that succeeds."""
        place = self._new_place()
        (place / "rootfs").mkdir(parents=True)
        try:
            record = Record(
                bytes=await fill(place / "rootfs"),
                boot_id=self._boot_id,
                argv=argv,
                environment=environment or {},
                working_folder=working_folder,
                below="" if below is None else below.hex(),
            )
            (place / _RECORD).write_bytes(msgspec.json.encode(record))
            place.rename(self._folder / name.hex())
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, place)
            raise
        return record

    def remove(self, name: Digest) -> None:
        """Remove a tree if it is there; may take seconds."""
        place = self._folder / name.hex()
        if place.exists():
            self._discard(place)

    def make_room(self, held: Collection[Digest], room: int = 0) -> None:
        """Remove what was used longest ago and is not held, until the rest and ``room`` more fit; may take seconds.

        What others share with a tree frees nothing while they have it: so it goes after them.
        """
        trees = dict(sorted(self._all(), key=lambda tree: tree[1].used))
        excess = sum(tree.record.bytes for tree in trees.values()) + room - self._bytes_max
        sharing = Counter(tree.record.below for tree in trees.values())
        while excess > 0:
            free = (
                name for name in trees if bytes.fromhex(name) not in held and not sharing[name]
            )
            if (name := next(free, None)) is None:
                return
            record = trees.pop(name).record
            self._discard(self._folder / name)
            excess -= record.bytes
            sharing[record.below] -= 1

    def _all(self) -> Iterator[tuple[str, "_Tree"]]:
        for file in self._folder.glob(f"*/{_RECORD}"):
            if not file.parent.name.startswith(_NEW):
                record = msgspec.json.decode(file.read_bytes(), type=Record)
                yield file.parent.name, _Tree(file.stat().st_mtime_ns, record)

    def _discard(self, place: Path) -> None:
        """Remove a tree in two steps, so that no half of one keeps its name."""
        condemned = self._new_place()
        place.rename(condemned)
        shutil.rmtree(condemned)

    def _new_place(self) -> Path:
        return self._folder / f"{_NEW}{secrets.token_hex(8)}"
