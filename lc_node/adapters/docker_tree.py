"""How an unpacked image becomes a container's root: a tiny image of ours, over which its folders are mounted.

The engine never reads an archive of a stranger's. What it is given is an image of empty folders, links, and our own
first process; the folders and files of the unpacked tree are mounted over it, read-only. So nothing is copied, and an
image of gigabytes starts as fast as one of kilobytes.
"""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lc_node.adapters import docker_init
from lc_node.ports.sandbox import SandboxFailed

ENTRIES_MAX: Final = 1024
"""Mounts of one container; an image of Debian's has about a hundred, most of them files of /etc."""

_OF_THE_ENGINE: Final = frozenset({"proc", "dev", "sys", "tmp"})
_SPREAD: Final = {
    "etc": frozenset({"hosts", "hostname", "resolv.conf"}),
    "lc": frozenset({"in", "out", "init"}),
}
"""Folders that cannot be mounted as one, since others mount into them; and whose files these are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """What the image of ours consists of; paths without the leading slash."""

    folders: tuple[str, ...]
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A skeleton, and what is mounted over it: path inside and path on the host."""

    skeleton: Skeleton
    mounts: tuple[tuple[str, str], ...]


def lay_out(rootfs: Path) -> Tree:
    """Read the first level of an unpacked image, and the second where others mount into it.

    Raises:
        SandboxFailed: it is not there, or has more entries than can be mounted.
    """
    folders, links, mounts = ["tmp", "lc", "lc/in", "lc/out"], [], []
    try:
        for path, entry in _entries(rootfs):
            if entry.is_symlink():
                links.append((path, os.readlink(entry.path)))  # noqa: PTH115 - of an entry
            elif entry.is_dir() or entry.is_file():
                mounts.append((path, entry.path))
    except OSError as error:
        raise SandboxFailed(f"the image cannot be read: {error}") from error
    if len(links) + len(mounts) > ENTRIES_MAX:
        raise SandboxFailed(f"the image has more than {ENTRIES_MAX} entries to mount")
    skeleton = Skeleton(folders=tuple(folders), links=tuple(sorted(links)))
    return Tree(skeleton=skeleton, mounts=tuple(sorted(mounts)))


def _entries(rootfs: Path) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    for entry in _children(rootfs):
        if entry.name in _OF_THE_ENGINE:
            continue
        if entry.name not in _SPREAD:
            yield _text(entry.name), entry
        elif entry.is_dir(follow_symlinks=False):
            for below in _children(Path(entry.path)):
                if below.name not in _SPREAD[entry.name]:
                    yield _text(f"{entry.name}/{below.name}"), below


def _children(folder: Path) -> "list[os.DirEntry[str]]":
    with os.scandir(folder) as entries:
        return list(entries)


def _text(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise SandboxFailed("the image has a name that is not text") from error
    return path


def image_archive(skeleton: Skeleton) -> bytes:
    """Return the image as ``docker load`` takes it: without a name, the same bytes for the same skeleton."""
    members = [(_member(path, tarfile.DIRTYPE, 0o755), b"") for path in skeleton.folders]
    program = docker_init.init_program()
    members.append((_member(docker_init.PLACE, tarfile.REGTYPE, 0o755), program))
    for path, target in skeleton.links:
        link = _member(path, tarfile.SYMTYPE, 0o777)
        link.linkname = target
        members.append((link, b""))
    layer = _tar(members)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(layer)}"]},
        }
    ).encode()
    name = f"{_sha256(config)}.json"
    manifest = json.dumps([{"Config": name, "RepoTags": None, "Layers": ["layer.tar"]}]).encode()
    files = [(name, config), ("layer.tar", layer), ("manifest.json", manifest)]
    return _tar([(_member(path, tarfile.REGTYPE, 0o644), data) for path, data in files])


def _member(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.mode = kind, mode
    return member


def _tar(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
