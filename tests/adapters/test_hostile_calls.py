"""System calls that no training needs, as a hostile job makes them."""

import pytest

from tests.adapters.attacks import findings, to_the_end
from tests.adapters.jobs import Workshop

NEW_NAMESPACES = {
    "mounts": 0x00020000,
    "control groups": 0x02000000,
    "names": 0x04000000,
    "messages": 0x08000000,
    "users": 0x10000000,
    "processes": 0x20000000,
    "networks": 0x40000000,
}
CALLS = {
    "mount": "call(165, b'none', b'/tmp', b'tmpfs', 0, 0)",
    "a mount made writable": "call(165, b'none', b'/', b'', 32 | 4096, 0)",
    "umount2": "call(166, b'/lc/out', 2)",
    "pivot_root": "call(155, b'/', b'/tmp')",
    "chroot": "call(161, b'/tmp')",
    "open_tree": "call(428, -100, b'/', 1)",
    "move_mount": "call(429, -100, b'/tmp', -100, b'/lc/out', 0)",
    "fsopen": "call(430, b'tmpfs', 0)",
    "fspick": "call(433, -100, b'/', 0)",
    "mount_setattr": "call(442, -100, b'/', 0, bytes(32), 32)",
    "setns": "call(308, os.open('/proc/self/ns/net', os.O_RDONLY), 0)",
    "swapon": "call(167, b'/tmp/x', 0)",
    "quotactl": "call(179, 0, b'/', 0, 0)",
    "acct": "call(163, b'/tmp/x')",
    "clone3": "call(435, bytes(64), 64)",
    "ptrace of oneself": "call(101, 0, 0, 0, 0)",
    "ptrace of the first process": "call(101, 16, 1, 0, 0)",
    "process_vm_readv": "call(310, 1, 0, 0, 0, 0, 0)",
    "process_vm_writev": "call(311, 1, 0, 0, 0, 0, 0)",
    "process_madvise": "call(440, -1, 0, 0, 0, 0)",
    "kcmp": "call(312, 1, 1, 0, 0, 0)",
    "pidfd_getfd": "call(438, os.pidfd_open(1), 0, 0)",
    "io_uring_setup": "call(425, 1, bytes(120))",
    "io_uring_enter": "call(426, 0, 0, 0, 0, 0, 0)",
    "io_uring_register": "call(427, 0, 0, 0, 0)",
    "bpf": "call(321, 0, bytes(64), 64)",
    "perf_event_open": "call(298, bytes(112), 0, -1, -1, 0)",
    "userfaultfd": "call(323, 0)",
    "memfd_secret": "call(447, 0)",
    "add_key": "call(248, b'user', b'a', b'b', 1, -3)",
    "request_key": "call(249, b'user', b'a', 0, -3)",
    "keyctl": "call(250, 0, -3, 0)",
    "name_to_handle_at": "call(303, -100, b'/', bytes(128), bytes(4), 0)",
    "open_by_handle_at": "call(304, -100, bytes(128), 0)",
    "fanotify_init": "call(300, 0, 0)",
    "lookup_dcookie": "call(212, 0, 0, 0)",
    "init_module": "call(175, 0, 0, b'')",
    "finit_module": "call(313, 0, b'', 0)",
    "delete_module": "call(176, b'ext4', 0)",
    "kexec_load": "call(246, 0, 0, 0, 0)",
    "kexec_file_load": "call(320, -1, -1, 0, b'', 0)",
    "reboot": "call(169, 0xfee1dead, 672274793, 0, 0)",
    "syslog": "call(103, 3, bytes(64), 64)",
    "iopl": "call(172, 3)",
    "ioperm": "call(173, 0, 1, 1)",
    "modify_ldt": "call(154, 1, bytes(16), 16)",
    "vhangup": "call(153)",
    "sethostname": "call(170, b'x', 1)",
    "setdomainname": "call(171, b'x', 1)",
    "clock_settime": "call(227, 0, bytes(16))",
    "settimeofday": "call(164, bytes(16), 0)",
    "adjtimex": "call(159, bytes(208))",
    "clock_adjtime": "call(305, 0, bytes(208))",
    "migrate_pages": "call(256, 1, 0, 0, 0)",
    "move_pages": "call(279, 1, 0, 0, 0, 0, 0)",
    "memory without randomness": "call(135, 0x0040000)",
    "a call of the x32 kind": "call(0x40000000 + 39)",
    "a call that does not exist yet": "call(1000)",
    "a device file": "call(133, b'/lc/out/disk', 0o60666, 0x0800)",
    "vsock": "call(41, 40, 1, 0)",
    "vsock of datagrams": "call(41, 40, 2, 0)",
    "netlink": "call(41, 16, 3, 0)",
    "a pair of netlinks": "call(53, 16, 3, 0, bytes(8))",
    "packet": "call(41, 17, 3, 0)",
    "crypto": "call(41, 38, 5, 0)",
    "xdp": "call(41, 44, 3, 0)",
    "raw internet socket": "call(41, 2, 3, 1)",
    "raw internet socket of version 6": "call(41, 10, 3, 58)",
    **{f"unshare {what}": f"call(272, {flag})" for what, flag in NEW_NAMESPACES.items()},
    "unshare clocks": "call(272, 0x80)",
    **{
        f"clone {what}": f"call(56, {flag | 17}, 0, 0, 0, 0)"
        for what, flag in NEW_NAMESPACES.items()
    },
    "clone users, with bits that the kernel drops": "call(56, 0x7fff00000000 | 0x10000011, 0, 0, 0, 0)",
    "vsock, with bits that the kernel drops": "call(41, 0x100000000 + 40, 1, 0)",
}
"""What is tried, in one run for each sandbox."""


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_that_no_training_needs_is_refused(workshop: Workshop, name: str) -> None:
    found = await findings(workshop, "calls", CALLS)

    # An engine's filter, which libseccomp compiles, takes x32 for another architecture's and kills.
    assert found[name] in {"EPERM", "ENOSYS", "SIGSYS"}


async def test_no_socket_is_made_of_any_other_family(workshop: Workshop) -> None:
    """Refused by the filter, as the error says: whether the kernel has the family does not matter."""
    found = await findings(
        workshop,
        "families",
        {
            str(family): f"call(41, {family}, 1, 0)"
            for family in range(64)
            if family not in {1, 2, 10}
        },
    )

    assert set(found.values()) == {"EPERM"}


RIGHTS = {
    "become root": "os.setuid(0)",
    "become another": "os.setresuid(1000, 1000, 1000)",
    "join groups": "os.setgroups([0])",
    "take capabilities": "call(126, struct.pack('Ii', 0x20080522, 0), struct.pack('6I', *[0xffffffff] * 6))",
    "be always first": "os.setpriority(os.PRIO_PROCESS, 0, -20)",
    "be real-time": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    "have a deadline": "call(314, 0, struct.pack('IIQiIQQQ', 48, 6, 0, 0, 0, 10**6, 10**7, 10**7), 0)",
    "read disks first": "call(251, 1, 0, 1 << 13)",
    "more descriptors": "resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 19, 1 << 19))",
    "larger files": "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))",
    "more time": "resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))",
    "core files": "resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))",
    "fixed memory": "call(149, ctypes.addressof(ctypes.create_string_buffer(65536)), 65536)",
    "spare the memory killer": "open('/proc/self/oom_score_adj', 'wb', 0).write(b'-1000')",
    "new privileges": "call(157, 38, 0, 0, 0, 0)",
    "another's memory map": "call(157, 35, 8, 0, 0, 0)",
    "the first process's limits": "resource.prlimit(1, resource.RLIMIT_NPROC, (-1, -1))",
    "a terminal": "os.open('/dev/tty', os.O_RDWR)",
    "type for others": "fcntl.ioctl(0, 0x5412, b'x')",
    "type for others on stderr": "fcntl.ioctl(2, 0x5412, b'x')",
    "the screen's clipboard": "fcntl.ioctl(1, 0x541c, bytes([2]) + bytes(32))",
    "write into the root": "os.open('/x', os.O_CREAT | os.O_WRONLY)",
    "change the root's rights": "os.chmod('/opt', 0o777)",
    "rename in the root": "os.rename('/opt', '/tpo')",
    "link out of the root": "os.link('/canary', '/lc/out/canary')",
    "a lasting attribute": "os.setxattr('/canary', 'user.x', b'x')",
    "time stamps of the root": "os.utime('/canary', (0, 0))",
    "run what it wrote": (
        "(os.symlink('/canary', '/tmp/c'), open('/tmp/p', 'wb').write(open('/tmp/c', 'rb').read()),"
        " os.chmod('/tmp/p', 0o755), os.execv('/tmp/p', ['p']))"
    ),
    "map what it wrote as a program": (
        "(open('/tmp/m', 'wb').write(bytes(4096)),"
        " mmap.mmap(os.open('/tmp/m', os.O_RDWR), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC))"
    ),
}


@pytest.mark.parametrize("name", RIGHTS)
async def test_a_right_that_a_job_takes_is_refused(workshop: Workshop, name: str) -> None:
    found = await findings(workshop, "rights", RIGHTS)

    assert found[name] in {
        *("EPERM", "EACCES", "EROFS", "ENOENT", "EINVAL", "ENOTTY", "ENXIO", "EXDEV", "EIO"),
        *("ENOMEM", "ValueError", "EOPNOTSUPP", "PermissionError", "ProcessLookupError"),
    }


async def test_the_first_process_has_no_more_rights_than_the_job(workshop: Workshop) -> None:
    """A job may be able to write into its memory: it must gain nothing by that."""
    rights = (
        "Uid",
        "Gid",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
    )
    of = "[line for line in open('/proc/{}/status') if line.split(':')[0] in " + repr(rights) + "]"
    found = await findings(workshop, "first", {which: of.format(which) for which in ("1", "self")})

    assert "Seccomp" in found["self"]
    assert found["1"] == found["self"]


@pytest.mark.parametrize("code", ["b8140000 00cd80c3", "b8690100 00cd80c3", "b8660000 00cd80c3"])
async def test_calls_through_the_32_bit_door_are_deadly(workshop: Workshop, code: str) -> None:
    """getpid, socket and socketcall by ``int 0x80``: other numbers, and other ways to sockets."""
    _, outcome = await to_the_end(
        workshop,
        f"""
page = mmap.mmap(-1, 4096, prot=7)
page.write(bytes.fromhex({code!r}))
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
""",
    )

    assert outcome.exit_code == 128 + 31  # SIGSYS


async def test_a_job_cannot_widen_its_filter(workshop: Workshop) -> None:
    """A filter that allows all is one more filter: the strictest answer counts, seccomp(2)."""
    found = await findings(
        workshop,
        "wider filter",
        {"unshare": "(allow_all(), call(272, 0x10000000))"},
        """
def allow_all():
    allow = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))
    call(317, 1, 0, struct.pack('HxxxxxxQ', 1, ctypes.addressof(allow)))
""",
    )

    assert found["unshare"] == "EPERM"
