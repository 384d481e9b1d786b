"""Two jobs of strangers on one machine: neither can see, reach, disturb or outlive the other."""

import json
import uuid

import pytest

from lc_node.ports.sandbox import Status
from tests.adapters.attacks import PROLOGUE
from tests.adapters.jobs import Workshop, all_lines, pids_with

VICTIM = """
import mmap, os, signal, socket, sys
name = sys.argv[1]
listener = socket.socket(socket.AF_UNIX)
listener.bind('\\0' + name)
listener.listen()
server = socket.create_server(('127.0.0.1', 4711))
for folder in ('/tmp', '/lc/out', '/dev/shm'): open(f'{folder}/{name}', 'w').write('secret')
segment = libc.shmget(int(name[:7], 16), 4096, 0o1666)
queue = libc.mq_open(('/' + name).encode(), 0o102, 0o666, None)
print('up', flush=True)
sys.stdin.readline()
print(*sorted(open(f'{folder}/{name}').read() for folder in ('/tmp', '/lc/out', '/dev/shm')), flush=True)
"""
ATTACKS = {
    "files": "[os.listdir(at) for at in ('/tmp', '/lc/out', '/dev/shm')]",
    "processes": "len([pid for pid in os.listdir('/proc') if pid.isdigit()]) < 6",
    "a socket without a file": "socket.socket(socket.AF_UNIX).connect('\\0' + sys.argv[1])",
    "a server": "socket.create_connection(('127.0.0.1', 4711), 3)",
    "shared memory": "call(29, int(sys.argv[1][:7], 16), 0, 0)",
    "a message queue": "call(240, sys.argv[1].encode(), 0, 0, 0)",
    "every process there is": "(signal.signal(signal.SIGTERM, signal.SIG_IGN), os.kill(-1, signal.SIGTERM))",
    "every process number": "sum(is_there(pid) for pid in range(1, 100_000)) < 6",
    "the others' first process": "os.kill(1, signal.SIGKILL)",
}
FOUND = {
    "files": "[[], [], []]",
    "processes": "True",
    "a socket without a file": "ECONNREFUSED",
    "a server": "ECONNREFUSED",
    "every process number": "True",
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_job_does_not_reach_its_neighbour(workshop: Workshop, name: str) -> None:
    word = uuid.uuid4().hex
    attack = f"""
def is_there(pid):
    try: os.kill(pid, 0)
    except ProcessLookupError: return False
    except PermissionError: return True
    return True
attempt({name!r}, lambda: {ATTACKS[name]})
"""
    async with workshop.start(PROLOGUE + VICTIM, word) as victim:
        assert await victim.read_line() == b"up"
        async with workshop.start(PROLOGUE + attack, word) as attacker:
            lines = await all_lines(attacker)
            await attacker.wait()
        await victim.write_line(b"go on")
        assert await victim.read_line() == b"secret secret secret"
        outcome = await victim.wait()

    assert (outcome.status, outcome.exit_code) == (Status.EXITED, 0)
    assert pids_with(word) == []
    found = dict(json.loads(line) for line in lines)
    assert found.get(name) in {
        FOUND.get(name),
        "ENOENT",
        "EPERM",
        "None",
        "(<Handlers.SIG_DFL: 0>, None)",
    }


async def test_a_job_finds_nothing_of_the_one_before(workshop: Workshop) -> None:
    """Whatever the sandbox uses again (a user, a folder, a place in memory) is empty."""
    await workshop.lines(
        "for folder in ('/tmp', '/lc/out', '/dev/shm'): open(folder + '/x', 'w').write('secret')"
    )
    lines = await workshop.lines(
        "import os; print(*[os.listdir(folder) for folder in ('/tmp', '/lc/out', '/dev/shm')])"
    )

    assert lines == ["[] [] []"]


async def test_a_job_that_takes_all_descriptors_and_processes_takes_none_of_its_neighbours(
    workshop: Workshop,
) -> None:
    greedy = (
        PROLOGUE
        + """
try:
    while True: os.dup(0)
except OSError: pass
try:
    while True:
        if os.fork() == 0: time.sleep(60)
except OSError: print('all taken', flush=True)
time.sleep(60)
"""
    )
    async with workshop.start(greedy) as other:
        assert await other.read_line() == b"all taken"
        lines = await workshop.lines(
            "import os\nfor _ in range(20):\n  if os.fork() == 0: os._exit(0)\n  os.wait()\nprint('mine')"
        )

    assert lines == ["mine"]
