"""Layers of honest and of hostile images, unpacked."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lc_node.adapters.oci_unpack import HARD_LINKS_MAX, MOUNT_POINTS, unpack
from tests.adapters.archives import (
    BLOCK,
    END,
    folder,
    gzip,
    hard_link,
    member,
    pax,
    plan,
    sha256_name,
    symlink,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the image goes; beside it lies a file that no image may reach."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("ours")
    return tmp_path / "image" / "rootfs"


def unpacked(root: Path, *layers: bytes, **options: Any) -> dict[str, Any]:
    root.parent.mkdir()
    return unpack(plan(root, *layers, **options))


def test_files_folders_and_links_are_made(root: Path) -> None:
    layer = (
        folder("./")
        + folder("./usr/")
        + member("usr/a", b"text")
        + member("usr/b", b"", mode=0o755)
        + symlink("lib", "usr")
        + hard_link("usr/c", "./usr/a")
    )
    assert "bytes" in unpacked(root, layer + END)

    assert (root / "usr" / "a").read_text() == "text"
    assert stat.S_IMODE((root / "usr" / "b").stat().st_mode) == 0o755
    assert (root / "lib").readlink() == Path("usr")
    assert (root / "usr" / "c").samefile(root / "usr" / "a")


@pytest.mark.parametrize("compress", [False, True])
def test_a_layer_needs_no_end_marker(root: Path, compress: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert "bytes" in unpacked(root, member("a", b"x" * 5000), compress=compress)

    assert (root / "a").stat().st_size == 5000


def test_a_compressed_layer_may_have_several_members(root: Path) -> None:
    tar = member("a", b"x" * 3000) + END
    todo = plan_of(root, tar, compress=True)
    Path(todo["layers"][0]["path"]).write_bytes(gzip(tar[:700]) + gzip(b"") + gzip(tar[700:]))

    assert "bytes" in unpack(todo)


def test_the_places_that_are_mounted_over_are_there(root: Path) -> None:
    unpacked(root, END)

    assert all((root / place).is_dir() for place in MOUNT_POINTS)


def test_long_names_are_read_in_both_ways(root: Path) -> None:
    gnu, posix = "g" * 150, "p" * 150
    layer = (
        member("././@LongLink", gnu.encode() + b"\0", kind=b"L")
        + member(gnu[:100], b"1")
        + pax({"path": posix, "mtime": "1.5"})
        + member("short", b"2")
    )
    unpacked(root, layer + END)

    assert (root / gnu).read_text() == "1"
    assert (root / posix).read_text() == "2"


def test_a_later_layer_replaces_and_removes(root: Path) -> None:
    below = folder("d") + member("d/old", b"") + member("d/gone", b"") + member("f", b"1")
    above = member("d/.wh.gone") + member("f", b"2") + member(".wh.nothing")
    assert "bytes" in unpacked(root, below + END, above + END)

    assert [path.name for path in (root / "d").iterdir()] == ["old"]
    assert (root / "f").read_text() == "2"


def test_an_opaque_folder_hides_only_what_lies_below(root: Path) -> None:
    below = member("d/old/deep", b"")
    above = member("d/new", b"") + member("d/.wh..wh..opq")
    unpacked(root, below + END, above + END)

    assert [path.name for path in (root / "d").iterdir()] == ["new"]


def test_a_replaced_name_leaves_the_file_under_its_other_name(root: Path) -> None:
    below = member("a", b"1") + hard_link("b", "a")
    unpacked(root, below + END, member("b", b"2") + END)

    assert (root / "a").read_text() == "1"


def test_links_upwards_end_at_the_images_root(root: Path) -> None:
    layer = folder("outside") + symlink("out", "../../../outside") + member("out/file", b"theirs")
    unpacked(root, layer + END)

    assert (root.parents[1] / "outside" / "file").read_text() == "ours"
    assert (root / "outside" / "file").read_text() == "theirs"


def test_a_folder_is_not_made_through_a_link_to_nowhere(root: Path) -> None:
    answer = unpacked(root, symlink("out", "nowhere") + member("out/file", b"theirs") + END)

    assert "contradicts itself" in answer["refused"]


def test_a_layer_that_ends_within_a_header_is_refused(root: Path) -> None:
    assert "ends within a header" in unpacked(root, member("x")[:300])["refused"]


def test_a_link_is_not_written_through(root: Path) -> None:
    target = root.parents[1] / "outside" / "file"
    unpacked(root, symlink("x", str(target)) + member("x", b"theirs") + END)

    assert target.read_text() == "ours"
    assert (root / "x").read_text() == "theirs"


def test_bits_that_give_rights_are_dropped(root: Path) -> None:
    unpacked(root, member("su", b"", mode=0o6755) + folder("d", mode=0o3777) + END)

    assert stat.S_IMODE((root / "su").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o755


def test_what_an_image_keeps_to_itself_is_readable_to_the_job(root: Path) -> None:
    unpacked(root, member("secret", b"", mode=0) + folder("d", mode=0) + END)

    assert stat.S_IMODE((root / "secret").stat().st_mode) == 0o644
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o755


PAX_BOMB = member("pax", b"", kind=b"x", size=1 << 30)
CHAIN = b"".join(
    [
        pax({"path": "/".join("d" * 60)}) + folder("x"),
        pax({"linkpath": "/".join("d" * 60)}) + symlink("one", ""),
        folder("one/" + "/".join("e" * 40)),
    ]
)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        pytest.param(member("../x"), "leads upwards", id="a path upwards"),
        pytest.param(member("a/../../x"), "leads upwards", id="a path up and down"),
        pytest.param(hard_link("x", "../../outside/file"), "leads upwards", id="a hard link out"),
        pytest.param(
            symlink("up", "/../../outside") + hard_link("x", "up/file"),
            "contradicts itself",
            id="a hard link out by way of a link",
        ),
        pytest.param(hard_link("x", "missing"), "contradicts", id="a hard link to nothing"),
        pytest.param(
            folder("d") + hard_link("x", "d"), "not a file", id="a hard link to a folder"
        ),
        pytest.param(hard_link("x", "/"), "hard link to the root", id="a hard link to the root"),
        pytest.param(symlink("./", "/etc"), "in place of the root", id="the root as a link"),
        pytest.param(member("lc/out"), "contradicts itself", id="a file where we mount"),
        pytest.param(symlink("lc", "etc"), "contradicts itself", id="a link where we mount"),
        pytest.param(
            folder("t") + symlink("tmp", "t"), "contradicts itself", id="a link at a mount point"
        ),
        pytest.param(member("a") + member("a/b"), "contradicts itself", id="a file as a folder"),
        pytest.param(
            symlink("a", "a") + member("a/b"), "contradicts itself", id="a link to itself"
        ),
        pytest.param(member("x", kind=b"3"), "a character device", id="a character device"),
        pytest.param(member("x", kind=b"4"), "a block device", id="a block device"),
        pytest.param(member("x", kind=b"6"), "a FIFO", id="a FIFO"),
        pytest.param(member("x", kind=b"S"), "a sparse file", id="a GNU sparse file"),
        pytest.param(
            pax({"GNU.sparse.major": "1", "GNU.sparse.realsize": str(1 << 40)}) + member("x"),
            "a sparse file",
            id="a pax sparse file",
        ),
        pytest.param(member("x", kind=b"V"), "unknown kind", id="an unknown kind"),
        pytest.param(PAX_BOMB, "an extension header of", id="a pax header of a GiB"),
        pytest.param(
            member("x", kind=b"L", size=1 << 30), "an extension header of", id="a long name bomb"
        ),
        pytest.param(pax({"path": "x"}, kind=b"g"), "for all entries", id="a path for all"),
        pytest.param(
            member("pax", b"99 path=x\n", kind=b"x"), "malformed pax", id="a record too long"
        ),
        pytest.param(
            member("pax", b"x path=x\n", kind=b"x"), "malformed pax", id="a record without length"
        ),
        pytest.param(
            pax({"size": "-1"}) + member("x"), "malformed size", id="a negative pax size"
        ),
        pytest.param(member("x", size=1 << 31), "a file of", id="a file too large"),
        pytest.param(member("x", b"", size=4096), "ends within a file", id="a file cut short"),
        pytest.param(member("x").replace(b"ustar", b"Ustar"), "checksum", id="a wrong checksum"),
        pytest.param(pax({"path": "x" * 1025}) + member("x"), "path of", id="a path too long"),
        pytest.param(pax({"path": "a/" * 65}) + member("x"), "folders deep", id="a path too deep"),
        pytest.param(CHAIN, "more than 64 deep", id="depth by way of links"),
        pytest.param(pax({"path": "a\0b"}) + member("x"), "zero byte", id="a zero byte"),
        pytest.param(
            pax({"linkpath": "x" * 5000}) + symlink("x", ""), "link of", id="a link too long"
        ),
        pytest.param(member(".wh."), "the whiteout", id="a whiteout of nothing"),
        pytest.param(member(".wh.."), "the whiteout", id="a whiteout of the folder"),
        pytest.param(member("a/.wh..."), "the whiteout", id="a whiteout of what is above"),
        pytest.param(member(".wh..wh.plnk"), "the whiteout", id="a whiteout of a whiteout"),
        pytest.param(member("x") * 1001, "too many entries", id="too many entries"),
    ],
)
def test_a_hostile_layer_is_refused(root: Path, layer: bytes, why: str) -> None:
    answer = unpacked(root, layer + END)

    assert why in answer["refused"]
    assert (root.parents[1] / "outside" / "file").read_text() == "ours"


def test_a_layer_that_inflates_too_much_is_refused(root: Path) -> None:
    answer = unpacked(root, member("x", bytes(64 << 20)), compress=True)

    assert answer == {"refused": "layer 1 has a layer compressed more than 200 times"}


def test_an_image_that_unpacks_to_more_than_allowed_is_refused(root: Path) -> None:
    layer = member("a", bytes(60_000)) + member("b", bytes(60_000))

    assert "when unpacked" in unpacked(root, layer, unpacked_bytes=100_000)["refused"]


def test_many_small_files_count_as_the_blocks_they_take(root: Path) -> None:
    layer = b"".join(member(str(number), b"x") for number in range(30))

    assert "when unpacked" in unpacked(root, layer, unpacked_bytes=100_000)["refused"]


def test_what_follows_the_end_marker_is_limited_too(root: Path) -> None:
    answer = unpacked(root, END + bytes(300_000), unpacked_bytes=100_000)

    assert "a layer of more than" in answer["refused"]


def test_a_layer_that_is_not_what_the_configuration_says_is_refused(root: Path) -> None:
    todo = plan_of(root, member("a") + END)
    todo["layers"][0]["diff_id"] = sha256_name(b"another")

    assert "the digest" in unpack(todo)["refused"]


@pytest.mark.parametrize("cut", [5, 200])
def test_a_compression_that_is_cut_short_is_refused(root: Path, cut: int) -> None:
    todo = plan_of(root, member("a", os.urandom(4 * BLOCK)), compress=True)
    path = Path(todo["layers"][0]["path"])
    path.write_bytes(path.read_bytes()[:-cut])

    assert "refused" in unpack(todo)


def test_bytes_that_are_no_compression_are_refused(root: Path) -> None:
    todo = plan_of(root, member("a"), compress=True)
    Path(todo["layers"][0]["path"]).write_bytes(member("a"))

    assert "malformed compression" in unpack(todo)["refused"]


def plan_of(root: Path, *layers: bytes, **options: Any) -> dict[str, Any]:
    root.parent.mkdir()
    return plan(root, *layers, **options)


def test_an_image_that_links_one_file_too_often_is_refused(root: Path) -> None:
    links = b"".join(hard_link(f"x/{n}", "file") for n in range(HARD_LINKS_MAX + 1))

    answer = unpacked(root, member("file") + links + END, entries=2 * HARD_LINKS_MAX)

    assert answer["refused"] == f"layer 1 has more than {HARD_LINKS_MAX} hard links to one file"


@pytest.fixture
def worn_out(tmp_path: Path) -> Iterator[Path]:
    """A tree whose program has all the links that the file system allows (ext4: 65,000), if it has a limit."""
    tree, links = tmp_path / "below", tmp_path / "links"
    (tree / "bin").mkdir(parents=True)
    links.mkdir()
    program = tree / "bin" / "program"
    program.write_bytes(b"elf")
    program.chmod(0o755)
    try:
        for number in range(70_000):
            os.link(program, links / str(number))
    except OSError as error:
        assert error.errno == errno.EMLINK  # noqa: PT017  # any other would be the test's own fault
    yield tree
    shutil.rmtree(links)


def test_a_file_whose_links_others_used_up_is_copied_once(root: Path, worn_out: Path) -> None:
    root.parent.mkdir()
    layer = hard_link("bin/other", "bin/program")
    answer = unpack({**plan(root, layer + END), "start_from": str(worn_out)})
    program, other = root / "bin" / "program", root / "bin" / "other"

    assert "bytes" in answer
    assert (program.read_bytes(), stat.S_IMODE(program.stat().st_mode)) == (b"elf", 0o755)
    assert program.samefile(other)


def test_a_hard_link_to_a_file_whose_links_others_used_up_is_a_copy(
    root: Path, worn_out: Path
) -> None:
    (worn_out.parent / "links" / "0").unlink()
    root.parent.mkdir()
    layer = hard_link("bin/other", "bin/program")
    answer = unpack({**plan(root, layer + END), "start_from": str(worn_out)})
    other = root / "bin" / "other"

    assert "bytes" in answer
    assert (other.read_bytes(), stat.S_IMODE(other.stat().st_mode)) == (b"elf", 0o755)
