"""Prepare one sandbox in a fresh process, then become bubblewrap; a script that needs the standard library alone.

Started as ``python -I -S sandbox_launcher.py PARENT_PID [word value ...] -- bwrap ...``: nothing of the node's
memory, threads or descriptors is here, so that the steps below need not fear any of them. Python's start is what a
sandbox's start costs most, hence the few imports.

Descriptor 3 is a socket to the node. It gets the open folders that the job can write to, that of its outputs first, so
that the node can read files from them while the job runs; then bubblewrap's own status; or one message that says what failed.
"""

import ctypes
import os
import resource
import signal
import socket
import sys

CONTROL_FD = 3
FIRST_STRAY_FD = 5  # 4 carries the system call filter
STAGE = "/tmp"  # noqa: S108 - covered by a mount that only this process and its children see
OUT = f"{STAGE}/out"
SCRATCH = f"{STAGE}/scratch"
SHARED = f"{STAGE}/shared"
LAUNCH_FAILED = 125

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_NOATIME = 0x400
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000

# linux/loop.h: a loop_config is a file's number, a block size, a loop_info64 and 64 spare bytes.
_LOOP_CTL_GET_FREE, _LOOP_CONFIGURE = 0x4C82, 0x4C0A
_LOOP_CONFIG_BYTES = 8 + 232 + 64
_LOOP_FLAGS_AT = 8 + 5 * 8 + 3 * 4
_LOOP_FLAGS = 4 | 16  # gone when unmounted; past the host's page cache, where that can be done
_LOOP_TRIES = 64

_libc = ctypes.CDLL(None, use_errno=True)


class Plan:
    """What the node asks for, read from the command line."""

    def __init__(self, words: list[str]) -> None:
        """Read the words up to ``--``; what follows is bubblewrap's."""
        self.parent = int(words.pop(0))
        self.count_apart = False
        self.nice = 0
        self.user: int | None = None
        self.cgroups: list[str] = []
        self.limits: list[tuple[int, int]] = []
        self.binds: list[tuple[str, str]] = []
        self.volumes: list[tuple[str, str, str]] = []
        self.disks: list[tuple[str, str]] = []
        while (word := words.pop(0)) != "--":
            self._read(word, words)
        self.command = words

    def _read(self, word: str, words: list[str]) -> None:
        match word:
            case "count-apart":
                self.count_apart = True
            case "nice":
                self.nice = int(words.pop(0))
            case "user":
                self.user = int(words.pop(0))
            case "cgroup":
                self.cgroups.append(words.pop(0))
            case "limit":
                self.limits.append((int(words.pop(0)), int(words.pop(0))))
            case "bind":
                self.binds.append((words.pop(0), words.pop(0)))
            case "volume":
                self.volumes.append((words.pop(0), words.pop(0), words.pop(0)))
            case "disk":
                self.disks.append((words.pop(0), words.pop(0)))
            case _:
                raise ValueError(word)


def main() -> None:
    """Do what the plan says, in the one order that works, and become bubblewrap."""
    control = socket.socket(fileno=CONTROL_FD)
    try:
        os.closerange(FIRST_STRAY_FD, os.sysconf("SC_OPEN_MAX"))
        plan = Plan(sys.argv[1:])
        die_with(plan.parent)
        if plan.user is None:
            enter_namespaces(_CLONE_NEWNS | _CLONE_NEWUSER)
        else:
            enter_namespaces(_CLONE_NEWNS)
        build_stage(plan)
        send_volumes(control, plan)
        enter_cgroups(plan.cgroups)  # late: until here the work is the node's, not the job's
        if plan.user is not None:
            become(plan.user)
        if plan.count_apart:
            enter_namespaces(_CLONE_NEWUSER)
        os.nice(plan.nice)
        set_limits(plan.limits)
        die_with(plan.parent)  # again: changing the user has cleared it
        _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        os.set_inheritable(CONTROL_FD, True)  # noqa: FBT003 - the standard library's own signature
        os.execve(plan.command[0], plan.command, {})  # noqa: S606 - bubblewrap, with no shell between
    except Exception as error:  # noqa: BLE001 - whatever it is, the node must hear of it
        control.send(f"failed: {type(error).__name__}: {error}\n".encode())
        os._exit(LAUNCH_FAILED)


def die_with(parent: int) -> None:
    """Ask the kernel to kill us when the node dies, and leave if it already has."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "parent death signal")
    if os.getppid() != parent:
        os._exit(LAUNCH_FAILED)


def enter_cgroups(folders: list[str]) -> None:
    """Join control groups; be the first that an exhausted machine kills."""
    for folder in folders:
        _write(f"{folder}/cgroup.procs", "0")
    _write("/proc/self/oom_score_adj", "500")


def enter_namespaces(flags: int) -> None:
    """Get mounts of our own, or a user namespace that maps only ourselves, or both.

    Without root the second gives the right to do the first. It also counts our processes apart from all others of
    the same user, among them those of ended runs, which count until the machine's init has taken note of their end.
    """
    user, group = os.getuid(), os.getgid()
    _check(_libc.unshare(flags), "unshare")
    if flags & _CLONE_NEWUSER:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    if flags & _CLONE_NEWNS:
        _mount("none", "/", None, _MS_REC | _MS_PRIVATE, "")


def build_stage(plan: Plan) -> None:
    """Cover a folder and lay out there what bubblewrap shall bind: it sees only paths that all may reach."""
    sources = [(os.open(source, os.O_PATH), name) for source, name in plan.binds]
    images = [(use_image(image), name) for name, image in plan.disks]
    _mount("stage", STAGE, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,nr_inodes=4096,mode=755")
    for folder in ("in", "out", "scratch", "shared"):
        os.mkdir(f"{STAGE}/{folder}", 0o755)  # noqa: PTH102 - same as below
    os.close(os.open(f"{STAGE}/nothing", os.O_CREAT | os.O_WRONLY, 0o444))
    for descriptor, name in sources:
        _bind(descriptor, f"{STAGE}/{name}")
    owner = "" if plan.user is None else f",uid={plan.user},gid={plan.user}"
    for folder, size, inodes in plan.volumes:
        options = f"size={size},nr_inodes={inodes},mode=700{owner}"
        _mount(folder, f"{STAGE}/{folder}", "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, options)
    for image, folder in images:
        mount_image(image, f"{STAGE}/{folder}")


def use_image(path: str) -> int:
    """Open a file that holds a file system, and remove its name: it goes when nobody has it mounted any more."""
    descriptor = os.open(path, os.O_RDWR)
    os.unlink(path)  # noqa: PTH108 - pathlib would cost a fifth of the start
    return descriptor


def mount_image(image: int, target: str) -> None:
    """Mount an ext4 file system that lies in a file: loop(4). Unmounting it sets the device free."""
    path, device = _loop_device(image)
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC | _MS_NOATIME
    # The run's end is the disk's: there is nothing to keep in order for later.
    _mount(path, target, "ext4", flags, "noinit_itable,nobarrier")
    os.close(device)
    os.close(image)
    os.chmod(target, 0o700)  # noqa: PTH101 - as above
    os.rmdir(f"{target}/lost+found")  # noqa: PTH106 - as above


def send_volumes(control: socket.socket, plan: Plan) -> None:
    """Hand the node the folders that the job can write to."""
    names = (*(folder for folder, _ in plan.disks), *(folder for folder, _, _ in plan.volumes))
    folders = [os.open(f"{STAGE}/{name}", os.O_RDONLY | os.O_DIRECTORY) for name in names]
    socket.send_fds(control, [b"volumes\n"], folders)


def set_limits(limits: list[tuple[int, int]]) -> None:
    """Set limits that no process of the job can raise again."""
    for number, value in limits:
        resource.setrlimit(number, (value, value))


def become(user: int) -> None:
    """Leave root for good: a user id that owns nothing, another one for each run at a time."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    _check(_libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable")  # else /proc/self stays root's


def _bind(descriptor: int, target: str) -> None:
    source = f"/proc/self/fd/{descriptor}"
    if os.path.isdir(source):  # noqa: PTH112 - pathlib would cost a fifth of the start
        os.makedirs(target, exist_ok=True)  # noqa: PTH103 - same
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120 - same
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))
    _mount(source, target, None, _MS_BIND | _MS_REC, "")
    os.close(descriptor)


def _loop_device(image: int) -> tuple[str, int]:
    """Return the path of a device that is made of a file, and the device, open."""
    config = bytearray(_LOOP_CONFIG_BYTES)
    config[:4] = image.to_bytes(4, sys.byteorder)
    config[_LOOP_FLAGS_AT : _LOOP_FLAGS_AT + 4] = _LOOP_FLAGS.to_bytes(4, sys.byteorder)
    control = os.open("/dev/loop-control", os.O_RDWR)
    try:
        for _ in range(_LOOP_TRIES):
            number = _check(_libc.ioctl(control, _LOOP_CTL_GET_FREE), "loop device")
            path = f"/dev/loop{number}"
            device = os.open(path, os.O_RDWR)
            if _libc.ioctl(device, _LOOP_CONFIGURE, bytes(config)) == 0:
                return path, device
            os.close(device)  # another run was faster
        raise OSError("no loop device was to be had")
    finally:
        os.close(control)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    _check(_libc.mount(*words, flags, os.fsencode(options)), f"mount {target}")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


if __name__ == "__main__":
    main()
