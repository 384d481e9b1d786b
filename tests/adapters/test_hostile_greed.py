"""Jobs that take all they can get: processes, memory, files, output. Each is told so within two seconds."""

# ruff: noqa: S108 - the folders are the job's
import uuid

import pytest

from lc_node.chain.types import ByteCount, MillisSpan
from lc_node.ports.sandbox import Status
from tests.adapters.attacks import findings, verdict
from tests.adapters.jobs import LIMITS, MIB, Workshop, pids_with

MEMORY = 64 * MIB
HOGS = {
    "pages": "held = []\nfor _ in range(256): held.append(bytearray(1 << 20)); take(1)",
    "pages of children": """
for _ in range(16):
    if os.fork() == 0:
        held = bytearray(1 << 24)
        time.sleep(60)
    take(16)
time.sleep(60)
""",
    "shared pages": """
m = mmap.mmap(-1, 1 << 28)
for _ in range(256): take(1, m.write(bytes(1 << 20)))
""",
    "files in shared memory": """
descriptor = os.open('/dev/shm/x', os.O_CREAT | os.O_WRONLY)
for _ in range(256): take(1, os.write(descriptor, bytes(1 << 20)))
""",
    "empty files in shared memory": """
for number in range(100_000):
    os.close(os.open(f'/dev/shm/{number}', os.O_CREAT))
    if number % 1024 == 0: take(1)
""",
    "files that have no name": """
for _ in range(64):
    descriptor = os.memfd_create('x')
    for _ in range(4): take(1, os.write(descriptor, bytes(1 << 20)))
""",
    "shared memory that nobody has attached": """
libc.shmat.restype = ctypes.c_void_p
for number in range(64):
    segment = libc.shmget(0, 1 << 22, 0o1600)
    if segment < 0: raise SystemExit(1)
    at = libc.shmat(segment, None, 0)
    ctypes.memset(at, 1, 1 << 22)
    libc.shmdt(ctypes.c_void_p(at))
    take(4)
""",
    "messages that nobody reads": """
for number in range(16_000):
    queue = libc.msgget(0, 0o1600)
    if queue < 0: raise SystemExit(1)
    for _ in range(2): libc.msgsnd(queue, struct.pack('q8184s', 1, b''), 8184, 0o4000)
    if number % 64 == 0: take(1)
""",
    "semaphores": """
for number in range(16_000):
    if libc.semget(0, 16_000, 0o1600) < 0: raise SystemExit(1)
    take(1)
""",
    "bytes in pipes": """
for _ in range(500):
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try: fcntl.fcntl(writer, 1031, 1 << 20)
    except OSError: pass
    try: take(os.write(writer, bytes(1 << 20)) / (1 << 20))
    except OSError: pass
""",
    "bytes in sockets": """
for _ in range(500):
    for end in (pair := socket.socketpair()):
        end.setblocking(False)
        try:
            while True: take(end.send(bytes(1 << 14)) / (1 << 20))
        except OSError: pass
    held = globals().get('held', []) + [pair]
""",
    "tables of pages": """
m = mmap.mmap(-1, 1 << 40, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)
for number, at in enumerate(range(0, 1 << 40, 1 << 21)):
    m[at] = 1
    if number % 128 == 0: take(1)
""",
    "stack": """
resource.setrlimit(resource.RLIMIT_STACK, (-1, -1))
sys.setrecursionlimit(1 << 30)
def sink(depth):
    if depth % 2048 == 0: take(1)
    return sink(depth + 1)
sink(1)
""",
}
TAKE = """
taken = 0
def take(mebibytes, _=None):
    global taken
    taken += mebibytes
    print(taken, flush=True)
print('now', flush=True)
"""


@pytest.mark.parametrize("name", HOGS)
async def test_no_way_to_take_memory_leads_past_the_limit(workshop: Workshop, name: str) -> None:
    """It is ended, or refused more before it has more than it may, with a twentieth for what is rounded."""
    outcome, lines = await verdict(
        workshop, TAKE + HOGS[name], memory_bytes=ByteCount(MEMORY), wall=MillisSpan(8000)
    )

    if outcome.status is not Status.OUT_OF_MEMORY:
        assert outcome.status is Status.EXITED
        assert float(lines[-1].replace(b"now", b"0")) * MIB <= MEMORY * 1.05


FULL = {
    "/lc/out": "ENOSPC 8388608",
    "/tmp": "ENOSPC 4194304",
    "/dev/shm": "EFBIG 8388609",
    "/": "EROFS",
    "/dev": "EROFS",
    "/dev/pts": "EROFS",
    "/proc": "EROFS",
    "/lc/in": "EROFS",
    "/lc": "EROFS",
    "/opt": "EROFS",
    "/sys": "EROFS",
}


@pytest.mark.parametrize("place", FULL)
async def test_what_a_job_writes_into_a_folder_has_an_end(workshop: Workshop, place: str) -> None:
    found = await findings(workshop, "full", {at: f"fill('{at}/x')" for at in FULL})

    assert found[place] in {FULL[place], "ENOENT", "EPERM", "EACCES"}


async def test_shared_memory_is_full_at_its_size(workshop: Workshop) -> None:
    found = await findings(
        workshop,
        "shared memory",
        {"all": "[fill_one(f'/dev/shm/{number}') for number in range(9)]"},
        """
def fill_one(path):
    descriptor, count = os.open(path, os.O_CREAT | os.O_WRONLY), 0
    try:
        while True: count += os.write(descriptor, bytes(65536))
    except OSError: return count
""",
    )

    assert sum(map(int, found["all"].strip("[]").split(","))) <= 64 * MIB


SOWN = {"/lc/out": 63, "/tmp": 63, "/dev/shm": 4095}


@pytest.mark.parametrize("place", SOWN)
async def test_the_files_that_a_job_makes_have_an_end(workshop: Workshop, place: str) -> None:
    """The folder itself is one of the files that fit."""
    found = await findings(workshop, "sown", {at: f"sow({at!r})" for at in SOWN})

    assert found[place] == f"ENOSPC {SOWN[place]}"


async def test_links_and_folders_count_as_files(workshop: Workshop) -> None:
    found = await findings(
        workshop,
        "links",
        {
            "folders": "many(lambda n: os.mkdir(f'/tmp/{n}'))",
            "links": "many(lambda n: os.symlink('x' * 4000, f'/lc/out/{n}'))",
            "hard links": "(open('/lc/out/x', 'w').close(), many(lambda n: os.link('/lc/out/x', f'/lc/out/h{n}')))",
            "sockets": "many(lambda n: socket.socket(1).bind(f'/lc/out/s{n}'))",
        },
        """
def many(make):
    for number in range(1000):
        try: make(number)
        except OSError as error: return errno.errorcode[error.errno]
    return 'no end'
""",
    )

    assert "no end" not in str(found)


FLOODS = {
    "lines": "while True: os.write(1, b'{}\\n' * 1024)",
    "one line": "while True: os.write(1, b'a' * 65536)",
    "the log": "while True: os.write(2, b'a\\n' * 1024)",
    "both at once": "pair = os.fork()\nwhile True: os.write(1 + bool(pair), b'a\\n' * 1024)",
    "from many processes": "[os.fork() for _ in range(4)]\nwhile True: os.write(1, b'a\\n' * 64)",
    "zeros": "while True: os.write(1, bytes(65536))",
    "a larger pipe": "fcntl.fcntl(1, 1031, 1 << 20)\nwhile True: os.write(1, b'a\\n' * 8192)",
}


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_of_output_ends_the_run_at_once(workshop: Workshop, name: str) -> None:
    allowed = ByteCount(64 * 1024)
    outcome, lines = await verdict(
        workshop, f"print('now', flush=True)\n{FLOODS[name]}", log_bytes=allowed
    )

    assert outcome.status is Status.OUTPUT_LIMIT
    assert sum(map(len, lines)) <= allowed


BOMBS = {
    "processes": "def grow():\n while True:\n  try: os.fork()\n  except OSError: pass\ngrow()",
    "threads": """
import _thread
while True:
    try: _thread.start_new_thread(time.sleep, (60,))
    except RuntimeError: os.write(1, b'refused\\n'); time.sleep(60)
""",
    "sessions": """
while True:
    try:
        if os.fork() == 0: os.setsid()
    except OSError: time.sleep(0.01)
""",
    "programs": """
while True:
    try: os.posix_spawn(sys.executable, [sys.executable, '-S', '-c', 'while True: pass'], os.environ)
    except OSError: time.sleep(0.01)
""",
    "orphans that ignore every signal": """
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True:
    try:
        if os.fork() == 0 and os.fork(): os._exit(0)
    except OSError: time.sleep(0.01)
""",
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_ends_with_its_run(workshop: Workshop, name: str) -> None:
    marker = uuid.uuid4().hex
    outcome, _ = await verdict(workshop, BOMBS[name], marker, wall=MillisSpan(1000))

    assert outcome.status is Status.TIMED_OUT
    assert pids_with(marker) == []


async def test_no_more_processes_are_there_than_allowed(workshop: Workshop) -> None:
    code = """
count = 1
try:
    while True:
        if os.fork() == 0: time.sleep(60)
        count += 1
except OSError as error: print(errno.errorcode[error.errno], count, flush=True)
"""
    async with workshop.start(f"import errno, os, time\n{code}") as run:
        line = (await run.read_line() or b"").split()

    assert line[0] == b"EAGAIN"
    assert int(line[1]) <= LIMITS.pids
