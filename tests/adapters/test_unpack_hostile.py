"""Layers that lead out, contradict themselves, or want what no image may have."""

import os
import stat
from pathlib import Path

import pytest

from lc_node.adapters.oci_unpack import unpack
from tests.adapters.archives import (
    BLOCK,
    END,
    folder,
    hard_link,
    member,
    pax,
    prepared,
    sha256_name,
    symlink,
    unpacked,
)


def test_links_upwards_end_at_the_images_root(image_root: Path) -> None:
    layer = folder("outside") + symlink("out", "../../../outside") + member("out/file", b"theirs")
    unpacked(image_root, layer + END)

    assert (image_root.parents[1] / "outside" / "file").read_text() == "ours"
    assert (image_root / "outside" / "file").read_text() == "theirs"


def test_a_folder_is_not_made_through_a_link_to_nowhere(image_root: Path) -> None:
    answer = unpacked(image_root, symlink("out", "nowhere") + member("out/file", b"theirs") + END)

    assert "contradicts itself" in answer["refused"]


def test_a_layer_that_ends_within_a_header_is_refused(image_root: Path) -> None:
    assert "ends within a header" in unpacked(image_root, member("x")[:300])["refused"]


def test_a_link_is_not_written_through(image_root: Path) -> None:
    target = image_root.parents[1] / "outside" / "file"
    unpacked(image_root, symlink("x", str(target)) + member("x", b"theirs") + END)

    assert target.read_text() == "ours"
    assert (image_root / "x").read_text() == "theirs"


def test_bits_that_give_rights_are_dropped(image_root: Path) -> None:
    unpacked(image_root, member("su", b"", mode=0o6755) + folder("d", mode=0o3777) + END)

    assert stat.S_IMODE((image_root / "su").stat().st_mode) == 0o755
    assert stat.S_IMODE((image_root / "d").stat().st_mode) == 0o755


PAX_BOMB = member("pax", b"", kind=b"x", size=1 << 30)


def binary_size(entry: bytes, field: bytes) -> bytes:
    """Return an entry whose size is written in any twelve bytes."""
    header = bytearray(entry[:BLOCK])
    header[124:136] = field
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + entry[BLOCK:]


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
        pytest.param(
            pax({"path": "n" * 256}) + member("x"), "File name too long", id="a name too long"
        ),
        pytest.param(hard_link("x", "x"), "contradicts itself", id="a hard link to itself"),
        pytest.param(
            symlink("out", "/../../outside") + member("out/.wh.file"),
            "contradicts itself",
            id="a whiteout behind a link",
        ),
        pytest.param(
            symlink("a", "b") + symlink("b", "a") + member("a/.wh..wh..opq"),
            "contradicts itself",
            id="an opaque folder behind a ring of links",
        ),
        pytest.param(
            symlink("x", "proc/self/root") + member("x/etc/passwd"),
            "contradicts itself",
            id="a link that means a process",
        ),
        pytest.param(
            binary_size(member("x"), b"\x80" + b"\xff" * 11), "a file of", id="a size of 88 bits"
        ),
        pytest.param(
            binary_size(member("x"), b"\xff" * 12), "a negative number", id="a negative size"
        ),
        pytest.param(
            binary_size(member("x"), b"0000000008\0 "), "the number", id="a size that is none"
        ),
        pytest.param(
            pax({"size": "9" * 20}) + member("x"), "malformed size", id="a pax size of 20 digits"
        ),
        pytest.param(
            pax({"GNU.sparse.map": "0,1"}) + member("x"), "a sparse file", id="an older pax sparse"
        ),
        pytest.param(
            pax({"GNU.sparse.name": "y"}, kind=b"g") + member("x"),
            "a sparse file",
            id="a sparse name for all",
        ),
    ],
)
def test_a_hostile_layer_is_refused(image_root: Path, layer: bytes, why: str) -> None:
    answer = unpacked(image_root, layer + END)

    assert why in answer["refused"]
    assert (image_root.parents[1] / "outside" / "file").read_text() == "ours"


def test_a_layer_that_is_not_what_the_configuration_says_is_refused(image_root: Path) -> None:
    todo = prepared(image_root, member("a") + END)
    todo["layers"][0]["diff_id"] = sha256_name(b"another")

    assert "the digest" in unpack(todo)["refused"]


@pytest.mark.parametrize("cut", [5, 200])
def test_a_compression_that_is_cut_short_is_refused(image_root: Path, cut: int) -> None:
    todo = prepared(image_root, member("a", os.urandom(4 * BLOCK)), compress=True)
    path = Path(todo["layers"][0]["path"])
    path.write_bytes(path.read_bytes()[:-cut])

    assert "refused" in unpack(todo)


def test_bytes_that_are_no_compression_are_refused(image_root: Path) -> None:
    todo = prepared(image_root, member("a"), compress=True)
    Path(todo["layers"][0]["path"]).write_bytes(member("a"))

    assert "malformed compression" in unpack(todo)["refused"]


def test_absolute_paths_end_below_the_images_root(image_root: Path) -> None:
    outside = image_root.parents[1] / "outside" / "file"
    unpacked(image_root, pax({"path": str(outside)}) + member("x", b"theirs") + END)

    assert outside.read_text() == "ours"
    assert (image_root / outside.relative_to("/")).read_text() == "theirs"


def test_a_folder_of_a_layer_below_does_not_lead_out_once_it_is_a_link(image_root: Path) -> None:
    outside = str(image_root.parents[1] / "outside")
    unpacked(
        image_root,
        folder("d") + member("d/file", b"1") + END,
        symlink("d", outside) + END,
        folder("d") + member("d/file", b"3") + END,
        member("d", b"4") + END,
    )

    assert (image_root / "d").read_text() == "4"
    assert (image_root.parents[1] / "outside" / "file").read_text() == "ours"


def test_a_removed_link_takes_nothing_along_that_it_led_to(image_root: Path) -> None:
    outside = image_root.parents[1] / "outside"
    unpacked(
        image_root,
        symlink("d", str(outside)) + END,
        member(".wh.d") + member(".wh..wh..opq") + END,
    )

    assert (outside / "file").read_text() == "ours"


def test_of_entries_with_one_name_the_last_counts(image_root: Path) -> None:
    unpacked(
        image_root,
        member("x", b"1")
        + folder("x")
        + member("x/y", b"2")
        + symlink("x", "z")
        + member("x", b"3"),
    )

    assert (image_root / "x").read_text() == "3"


def test_a_hard_link_to_a_link_is_the_link_itself(image_root: Path) -> None:
    outside = image_root.parents[1] / "outside" / "file"
    unpacked(image_root, symlink("s", str(outside)) + hard_link("h", "s") + member("h", b"x"))

    assert outside.read_text() == "ours"
    assert (image_root / "s").is_symlink()


def test_names_that_differ_in_case_are_two(image_root: Path) -> None:
    unpacked(image_root, member("Name", b"1") + member("name", b"2") + END)

    assert (image_root / "Name").read_text() + (image_root / "name").read_text() == "12"


@pytest.mark.parametrize(
    "name", [b"\xff\xfe", b"\x1b[2J", b"a\nb", b" ", b"-rf", b"c:\\x", b"\xe2\x80\xae"]
)
def test_a_strange_name_is_only_a_name(image_root: Path, name: bytes) -> None:
    assert "bytes" in unpacked(image_root, member(name, b"x") + END)

    assert (image_root / os.fsdecode(name)).read_text() == "x"


@pytest.mark.parametrize("name", [b"../\xff", b"../\x1b[2J", "../\u202e"])
def test_a_refusal_shows_a_strange_name_harmlessly(image_root: Path, name: bytes | str) -> None:
    why = unpacked(image_root, member(name) + END)["refused"]

    assert why.isascii()
    assert why.isprintable()


def test_rights_that_a_file_carries_are_not_unpacked(image_root: Path) -> None:
    rights = {"SCHILY.xattr.security.capability": "x", "SCHILY.xattr.user.a": "b"}
    unpacked(image_root, pax(rights) + member("x", mode=0o4755) + END)

    assert os.listxattr(image_root / "x") == []
    assert stat.S_IMODE((image_root / "x").stat().st_mode) == 0o755


def test_owners_and_times_are_not_the_images_to_say(image_root: Path) -> None:
    unpacked(image_root, pax({"uid": "0", "mtime": "1e99", "ctime": "x"}) + member("x") + END)

    assert (image_root / "x").stat().st_uid == os.geteuid()


def test_an_archive_in_a_files_content_is_content(image_root: Path) -> None:
    """Where the header says that a file is empty and pax that it is not, readers could differ."""
    hidden = member("evil")
    unpacked(image_root, pax({"size": str(len(hidden))}) + member("x") + hidden + END)

    assert (image_root / "x").read_bytes() == hidden
    assert not (image_root / "evil").exists()


def test_what_only_files_have_is_not_read_of_others(image_root: Path) -> None:
    """A folder of a size: what follows is the next entry, as for other readers."""
    unpacked(image_root, member("d", kind=b"5", size=BLOCK) + member("x") + END)

    assert (image_root / "x").exists()
