"""Files that change their kind, size or place while they are taken, and what a job may print."""

import asyncio
import hashlib
import unicodedata
from pathlib import Path

import pytest

from lc_node.chain.types import ByteCount
from lc_node.oci.chunks import CHUNK_BYTES, chunk_root
from lc_node.ports.sandbox import BadOutputFile, Status
from tests.adapters.attacks import PROLOGUE, to_the_end
from tests.adapters.jobs import MIB, Workshop

TAKES = 60
SWAPS = {
    "a link to the host": "os.symlink('/etc/hostname', spare)",
    "a link to a process": "os.symlink('/proc/self/environ', spare)",
    "a FIFO": "os.mkfifo(spare)",
    "a socket": "socket.socket(socket.AF_UNIX).bind(spare)",
    "a folder": "os.mkdir(spare)",
    "a file with two names": "(open(spare, 'wb').write(b'theirs'), os.path.exists('two') or os.link(spare, 'two'))",
    "nothing": "None",
    "a much larger file": "open(spare, 'wb').truncate(7 << 20)",
}
SWAP = """
os.chdir('/lc/out')
spare = 'spare'
def clear(path):
    try: os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    except OSError: pass
print('up', flush=True)
while True:
    open('plain', 'wb').write(b'job')
    os.rename('plain', 'model')
    clear(spare)
    DEED
    clear('model')
    try: os.rename(spare, 'model')
    except OSError: pass
    clear('model'); clear('two')
"""


@pytest.mark.parametrize("name", SWAPS)
async def test_a_file_that_is_swapped_while_it_is_taken_is_the_jobs_own_or_refused(
    workshop: Workshop, folder: Path, name: str
) -> None:
    own = {b"job", b"theirs", b""}  # empty: there, and not yet written
    takes = refused = 0
    # An engine does not tell how many names a file has: then it is the job's own all the same.
    may_take_each = workshop.name == "docker" and name == "a file with two names"
    async with (
        asyncio.timeout(20),
        workshop.start(PROLOGUE + SWAP.replace("DEED", SWAPS[name])) as run,
    ):
        assert await run.read_line() == b"up"
        while takes < TAKES or not (refused or may_take_each):
            takes += 1
            place = folder / str(takes)
            try:
                taken = await run.take("model", place, bytes_max=ByteCount(1000))
            except BadOutputFile:
                refused += 1
                assert not place.exists()
            else:
                assert place.read_bytes() in own
                assert place.stat().st_size == taken.size


CHANGES = {
    "grows": "while True: file.write(bytes(65536)); file.flush(); file.tell() < limit or file.truncate(1 << 20)",
    "shrinks and grows": "while True: file.truncate(0); file.truncate(3 << 20)",
    "is written all the time": "while True: file.seek(0); file.write(os.urandom(1 << 20)); file.flush()",
}


@pytest.mark.parametrize("name", CHANGES)
async def test_what_was_taken_of_a_changing_file_is_what_its_digest_says(
    workshop: Workshop, folder: Path, name: str
) -> None:
    """Whatever the bytes are: they do not change after they were named."""
    code = f"""
limit = 6 << 20
file = open('/lc/out/model', 'wb+')
file.truncate(1 << 20)
print('up', flush=True)
{CHANGES[name]}
"""
    async with workshop.start(PROLOGUE + code) as run:
        assert await run.read_line() == b"up"
        for number in range(8):
            place = folder / str(number)
            try:
                taken = await run.take("model", place, bytes_max=ByteCount(4 * MIB))
            except BadOutputFile:
                assert not place.exists()
            else:
                data = place.read_bytes()
                pieces = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
                digests = [hashlib.sha256(piece).digest() for piece in pieces]
                assert (taken.size, taken.digest) == (len(data), chunk_root(digests))


NAMES = ["..", ".", "../out/model", "/lc/out/model", "a/../model", "model/", "model\0", "x" * 300]


@pytest.mark.parametrize("name", [*NAMES, "\udcff", "model\n", "C:model", "~"])
async def test_a_file_by_a_strange_name_is_not_taken(
    workshop: Workshop, folder: Path, name: str
) -> None:
    async with workshop.start("open('/lc/out/model', 'w').write('x')") as run:
        await run.wait()
        with pytest.raises(BadOutputFile) as refusal:
            await run.take(name, folder / "taken", bytes_max=ByteCount(100))

    assert str(refusal.value).isprintable()
    assert not (folder / "taken").exists()


async def test_a_file_is_never_written_over(workshop: Workshop, folder: Path) -> None:
    (folder / "ours").write_text("ours")
    async with workshop.start("open('/lc/out/model', 'w').write('x')") as run:
        await run.wait()
        with pytest.raises(FileExistsError):
            await run.take("model", folder / "ours", bytes_max=ByteCount(100))

    assert (folder / "ours").read_text() == "ours"


LOGS = {
    "moves the cursor": r"'\x1b[2J\x1b[1;1Hgone'",
    "sets the title": r"'\x1b]0;owned\x07'",
    "writes from right to left": r"'\u202egnp.exe'",
    "is not text": r"b'\xff\xfe\xed\xa0\x80'.decode('latin1')",
    "has zeros": r"'a\0b'",
    "goes back": r"'paid\rowed\b\b'",
    "is in a private alphabet": r"'\ue000\U000e0041'",
}


@pytest.mark.parametrize("name", LOGS)
async def test_the_log_that_people_read_holds_only_what_can_be_read(
    workshop: Workshop, name: str
) -> None:
    code = f"sys.stderr.buffer.write(({LOGS[name]}).encode('utf-8', 'surrogatepass') + b'\\n')"
    _, outcome = await to_the_end(workshop, code)

    assert outcome.status is Status.EXITED
    letters = outcome.log_tail.replace("\n", "")
    assert not [letter for letter in letters if unicodedata.category(letter).startswith("C")]


async def test_lines_come_as_they_were_written_whatever_they_hold(workshop: Workshop) -> None:
    """What they mean is for the contract to say (tests/worker/test_contract.py); nothing is lost on the way."""
    lines = [
        b'{"lc":"report","loss":NaN}',
        b"\xff\x00\x1b[2J",
        b"",
        b"\r",
        b"a" * 4000,
        b'{"a":' * 700,
    ]
    code = f"for line in {lines!r}: os.write(1, line + b'\\n')"
    found, _ = await to_the_end(workshop, code)

    assert found == lines
