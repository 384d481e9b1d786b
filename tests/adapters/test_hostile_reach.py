"""What of the host a hostile job can see, reach or switch."""

import ctypes
import os
import socket
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.attacks import findings
from tests.adapters.jobs import Workshop

HOST = (
    *("/etc/passwd", "/etc/shadow", "/etc/hostname", "/etc/resolv.conf", "/home", "/root", "/usr"),
    *("/var", "/run", "/sys/kernel", "/boot", "/mnt", "/bin", "/var/run/docker.sock", "/sbin"),
    *("/proc/1/root/etc/shadow", "/proc/1/cwd/etc/shadow", "/proc/self/root/etc/shadow"),
    *("/lc/in/../../../etc/shadow", "/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/kvm"),
    *("/dev/vda", "/dev/sda", "/dev/loop0", "/dev/loop-control", "/dev/fuse", "/dev/net/tun"),
    *("/dev/vsock", "/dev/vhost-net", "/dev/vhost-vsock", "/dev/mapper/control", "/dev/console"),
    *("/dev/tty0", "/dev/tty1", "/dev/ttyS0", "/dev/mqueue/x", "/dev/hugepages", "/dev/cpu/0/msr"),
)
OF_AN_ENGINE = ("/etc/hostname", "/etc/resolv.conf")
SECRETS = (
    *("cmdline", "config.gz", "kallsyms", "kcore", "keys", "kmsg", "modules", "sched_debug"),
    *("timer_list", "vmallocinfo", "slabinfo", "kpagecount", "kpageflags", "kpagecgroup"),
    *("latency_stats", "timer_stats", "sysrq-trigger", "acpi/event", "scsi/scsi", "asound/cards"),
)
READ = "'bytes' if open({!r}, 'rb').read(64) else 'empty'"


@pytest.mark.parametrize("path", HOST)
async def test_a_place_of_the_host_is_not_there(workshop: Workshop, path: str) -> None:
    found = await findings(workshop, "host", {path: f"os.stat({path!r})" for path in HOST})

    if workshop.name == "docker" and path in OF_AN_ENGINE:
        return  # the run's own; the next test looks into them
    assert found[path] in {"ENOENT", "EACCES", "ENOTDIR"}


@pytest.mark.parametrize("sandbox_name", ["docker"])
async def test_what_an_engine_adds_tells_nothing_of_the_host(workshop: Workshop) -> None:
    lines = await workshop.lines("""
import os
print(os.listdir('/sys'), *sorted(os.listdir('/etc')), os.stat('/.dockerenv').st_size)
print(open('/etc/hostname').read().strip(), open('/etc/resolv.conf').read())
""")

    assert lines == ["[] hostname hosts mtab resolv.conf 0", "job "]


@pytest.mark.parametrize("name", SECRETS)
async def test_what_the_kernel_tells_of_the_host_is_hidden(workshop: Workshop, name: str) -> None:
    found = await findings(
        workshop, "secrets", {name: READ.format(f"/proc/{name}") for name in SECRETS}
    )

    assert found[name] in {"empty", "ENOENT", "EACCES", "EPERM", "EIO", "EINVAL"}


WALKS = {
    "switches of the kernel": """[path for path in below('/proc') if can_open(path, os.O_WRONLY) and not hidden(path)
        if not path.split('/')[2].isdigit() and path.split('/')[2] not in ('self', 'thread-self')]""",
    "switches of devices": "[path for path in below('/sys') if can_open(path, os.O_WRONLY)]",
    "folders to write in": """[folder for folder in folders('/')
        if not folder.startswith('/proc') and os.access(folder, os.W_OK)]""",
    "files to write": """[path for path in below('/') if not path.startswith(('/proc', '/dev'))
        and can_open(path, os.O_WRONLY) and not hidden(path)]""",
    "devices": "[path for path in below('/dev') if stat.S_ISCHR(mode(path))]",
    "block devices": "[path for path in below('/') if stat.S_ISBLK(mode(path))]",
    "programs that give rights": """[path for path in below('/') if not path.startswith('/proc')
        and mode(path) & 0o6000 and os.statvfs(path).f_flag & os.ST_NOSUID == 0]""",
    "processes": "[name for name in os.listdir('/proc') if name.isdigit()]",
    "interfaces": "[line.split(':')[0].strip() for line in open('/proc/net/dev')][2:]",
    "routes": "open('/proc/net/route').read().splitlines()[1:]",
    "descriptors": "[os.readlink(f'/proc/self/fd/{n}')[:5] for n in sorted(map(int, os.listdir('/proc/self/fd')))[:3]]",
    "kinds of mounts": "sorted({line.split()[2] for line in open('/proc/mounts')})",
    "host name": "os.uname().nodename",
    "control group": "open('/proc/self/cgroup').read().count('learningchain')",
    "leftovers of others": "[os.listdir('/dev/shm'), os.listdir('/tmp'), os.listdir('/lc/out')]",
}
WALKERS = """
def mode(path):
    try: return os.lstat(path).st_mode
    except OSError: return 0  # a process that has ended meanwhile
def below(top): return [os.path.join(at, name) for at, _, names in os.walk(top) for name in names
                        if not os.path.islink(os.path.join(at, name))]
def hidden(path): return stat.S_ISCHR(mode(path)) and os.lstat(path).st_rdev == os.stat('/dev/null').st_rdev
def folders(top): return [at for at, _, _ in os.walk(top)]
def can_open(path, flags):
    try: os.close(os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY))
    except OSError: return False
    return True
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("switches of the kernel", "[]"),
        ("switches of devices", "[]"),
        ("folders to write in", "['/dev/shm', '/lc/out', '/tmp']"),
        ("files to write", "[]"),
        ("block devices", "[]"),
        ("interfaces", "['lo']"),
        ("routes", "[]"),
        ("descriptors", "['pipe:', 'pipe:', 'pipe:']"),
        ("host name", "job"),
        ("control group", "0"),
        ("leftovers of others", "[[], [], []]"),
    ],
)
async def test_of_the_whole_system_a_job_reaches_only(
    workshop: Workshop, name: str, expected: str
) -> None:
    found = await findings(workshop, "walks", WALKS, WALKERS)

    assert sorted(found[name]) == sorted(expected), found[name]


async def test_there_are_no_devices_but_the_harmless_ones(workshop: Workshop) -> None:
    found = await findings(workshop, "walks", WALKS, WALKERS)

    harmless = ["full", "null", "random", "tty", "urandom", "zero"]
    if workshop.name == "docker":
        harmless.insert(2, "pts/ptmx")
    assert found["devices"] == str([f"/dev/{name}" for name in harmless]) or sorted(
        found["devices"].strip("[]").replace("'", "").split(", ")
    ) == [f"/dev/{name}" for name in harmless]


@pytest.fixture
def marks() -> Iterator[dict[str, str]]:
    """Things of the host that other processes of the machine could reach: how a job would reach each."""
    name = uuid.uuid4().hex
    key = int(name[:7], 16)
    libc = ctypes.CDLL(None, use_errno=True)
    shared = libc.shmget(key, 4096, 0o1666)
    queue = libc.mq_open(f"/{name}".encode(), os.O_CREAT | os.O_RDWR, 0o666, None)
    file = Path("/dev/shm") / name  # noqa: S108 - that of the host, which the job must not see
    file.touch()
    with (
        socket.socket(socket.AF_UNIX) as abstract,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        abstract.bind(f"\0{name}")
        abstract.listen()
        datagrams.bind(("127.0.0.1", 0))
        yield {
            "shared memory by key": f"call(29, {key}, 0, 0)",
            "a message queue": f"call(240, b'{name}', 0, 0, 0)",
            "a file of shared memory": f"os.stat('/dev/shm/{name}')",
            "a socket without a file": rf"socket.socket(socket.AF_UNIX).connect('\0{name}')",
            "a server": f"socket.create_connection(('127.0.0.1', {server.getsockname()[1]}))",
            "the internet": "socket.create_connection(('192.0.2.1', 80), 3)",
            "the internet of version 6": "socket.create_connection(('2001:db8::1', 80), 3)",
            "a name server": "socket.getaddrinfo('example.org', 80)",
            "everybody": (
                "(lambda s: (s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1),"
                " s.sendto(b'x', ('255.255.255.255', 9))))(socket.socket(2, 2))"
            ),
            "another interface": (
                "socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'eth0')"
            ),
            "the hypervisor": "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
        }
    libc.mq_close(queue)
    libc.mq_unlink(f"/{name}".encode())
    libc.shmctl(shared, 0, None)
    file.unlink()


async def test_no_way_leads_to_what_others_on_the_machine_share(
    workshop: Workshop, marks: dict[str, str]
) -> None:
    found = await findings(workshop, "marks", marks)

    assert found.keys() == marks.keys()
    assert set(found.values()) <= {
        *("ENOENT", "ECONNREFUSED", "ENETUNREACH", "ENODEV", "EPERM", "EACCES", "gaierror"),
        *("EADDRNOTAVAIL", "-3", "[Errno -3] Temporary failure in name resolution"),
    }, found


async def test_a_crash_leaves_no_core(workshop: Workshop) -> None:
    before = {path.name for path in workshop.rootfs.iterdir()}
    found = await findings(
        workshop,
        "crash",
        {"dumped": "crash()", "files": "[os.listdir(at) for at in ('/tmp', '/lc/out')]"},
        """
def crash():
    child = os.fork()
    if child == 0: os.kill(os.getpid(), signal.SIGSEGV)
    return os.WCOREDUMP(os.waitpid(child, 0)[1])
""",
    )

    assert found == {"dumped": "False", "files": "[[], []]"}
    assert {path.name for path in workshop.rootfs.iterdir()} == before


KNOBS = (
    *(
        "kernel/hostname",
        "kernel/domainname",
        "kernel/core_pattern",
        "vm/swappiness",
    ),
    *(
        "vm/overcommit_memory",
        "kernel/pid_max",
        "net/ipv4/ip_forward",
        "fs/file-max",
        "kernel/shmall",
    ),
)


async def test_a_job_that_writes_everywhere_it_can_changes_nothing_of_the_host(
    workshop: Workshop,
) -> None:
    """All of /proc, /sys and the root, with the words that would matter most."""
    before = _host(workshop.rootfs)
    await findings(
        workshop,
        "scribble",
        {
            "scribble": "[scribble(path) for path in below('/') if not path.startswith('/proc/self')]"
        },
        WALKERS
        + """
def scribble(path):
    for flags in (os.O_WRONLY, os.O_WRONLY | os.O_TRUNC, os.O_RDWR):
        try: descriptor = os.open(path, flags | os.O_NONBLOCK)
        except OSError: continue
        try: os.write(descriptor, b'1')
        except OSError: pass
        os.close(descriptor)
    for deed in (os.unlink, os.rmdir):
        try: deed(path)
        except OSError: pass
""",
    )

    assert _host(workshop.rootfs) == before


def _host(rootfs: Path) -> tuple[object, ...]:
    """What a job could have changed: the root that it shares with others, switches, mounts, ourselves."""
    tree = [
        (str(found), status.st_mode, status.st_size, status.st_mtime_ns)
        for found in sorted(rootfs.rglob("*"))
        for status in (found.lstat(),)
    ]
    knobs = [(Path("/proc/sys") / knob).read_text() for knob in KNOBS]
    mounts = [
        line
        for line in Path("/proc/self/mounts").read_text().splitlines()
        if "lc-" in line
        and "lc-docker-" not in line  # an engine's own come and go with all its runs
    ]
    ourselves = Path("/proc/self/oom_score_adj").read_text(), os.getpriority(os.PRIO_PROCESS, 0)
    return tree, knobs, mounts, ourselves, struct.calcsize("P")
