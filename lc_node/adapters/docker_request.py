"""What an engine is told of one run: every limit, and nothing that it would grant by itself."""

from collections.abc import Iterator
from typing import Any, Final

from docker.types import DeviceRequest, DriverConfig, HostConfig, LogConfig, Mount, Ulimit

from lc_node.adapters import docker_init
from lc_node.adapters.cgroups import BACKGROUND, SHARES
from lc_node.adapters.docker_tree import Tree
from lc_node.adapters.sandbox_policy import (
    INPUTS_MAX,
    INSIDE_USER,
    OPEN_FILES,
    SECRETS,
    SHM_BYTES,
    SHM_INODES,
    cpu_seconds_max,
    file_bytes_max,
    safe_input_name,
    working_folder,
)
from lc_node.ports.sandbox import Layout, RunRequest, SandboxFailed

OUT: Final = {Layout.APART: "/lc/out", Layout.TMP: "/tmp"}  # noqa: S108 - the job's
"""The folder that ``take`` reads from."""

_INPUTS: Final = {Layout.APART: "/lc/in", Layout.TMP: "/tmp"}  # noqa: S108 - the job's
_USER: Final = f"{INSIDE_USER}:{INSIDE_USER}"
_NANOCPUS: Final = 1_000_000
"""Of one thousandth of a processor."""

_HIDDEN: Final = (
    *("/sys", "/dev/mqueue", "/etc/resolv.conf"),
    *(f"/proc/{name}" for name in SECRETS),
    *("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/latency_stats", "/proc/scsi"),
    *("/proc/sched_debug", "/proc/timer_stats", "/proc/interrupts"),
)
_READ_ONLY: Final = tuple(
    f"/proc/{name}" for name in ("bus", "fs", "irq", "pressure", "sys", "sysrq-trigger")
)


def container_words(
    request: RunRequest,
    *,
    image: str,
    tree: Tree,
    seccomp: str,
    runtime: str,
    labels: dict[str, str],
) -> dict[str, Any]:
    """Return the arguments of ``create_container``.

    Args:
        request: what to run.
        image: the id of the tree's skeleton.
        tree: what is mounted over it.
        seccomp: the profile, in the engine's form.
        runtime: which of the engine's runtimes; empty for its default.
        labels: by which to find the container again.

    Raises:
        SandboxFailed: an input has an unsafe name, or GPUs that are wanted were not assigned.
    """
    words = docker_init.init_words(
        request.argv, request.environment, is_background=request.is_background
    )
    return {
        "image": image,
        "entrypoint": [f"/{docker_init.PLACE}"],
        "command": words,
        "user": _USER,
        "working_dir": working_folder(request),
        "hostname": "job",
        "stdin_open": True,
        "tty": False,
        "stop_signal": "SIGKILL",
        "healthcheck": {"test": ["NONE"]},
        "labels": labels,
        "host_config": _host_config(request, tree=tree, seccomp=seccomp, runtime=runtime),
    }


def _host_config(
    request: RunRequest, *, tree: Tree, seccomp: str, runtime: str
) -> dict[str, object]:
    limits = request.limits
    config = HostConfig(
        version="1.41",
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true", f"seccomp={seccomp}"],
        ipc_mode="none",  # a namespace of its own, but without a /dev/shm whose files nobody counts
        pids_limit=limits.pids + docker_init.PROCESSES,
        mem_limit=limits.memory_bytes,
        memswap_limit=limits.memory_bytes,
        nano_cpus=limits.millicpus * _NANOCPUS,
        cpu_shares=SHARES // BACKGROUND if request.is_background else SHARES,
        oom_score_adj=500,
        ulimits=list(_ulimits(request)),
        log_config=LogConfig(type="none"),
        tmpfs=_memory_folders(request),
        mounts=list(_mounts(request, tree)),
        device_requests=_gpus(request),
        runtime=runtime or None,
    )
    return {
        **config,
        "CgroupnsMode": "private",
        "MaskedPaths": list(_HIDDEN),
        "ReadonlyPaths": list(_READ_ONLY),
    }


def _ulimits(request: RunRequest) -> Iterator[Ulimit]:
    values = {
        "core": 0,
        "memlock": 0,
        "msgqueue": 0,
        "nofile": OPEN_FILES,
        "fsize": file_bytes_max(request.limits),
        "cpu": cpu_seconds_max(request.limits),
    }
    for name, value in values.items():
        yield Ulimit(name=name, soft=value, hard=value)


def _memory_folders(request: RunRequest) -> dict[str, str]:
    """Return /dev/shm, and /tmp where it is not the folder that ``take`` reads from."""
    found = {"/dev/shm": f"rw,{_tmpfs_options(SHM_BYTES, SHM_INODES)}"}  # noqa: S108 - the job's
    if request.layout is not Layout.TMP:
        options = _tmpfs_options(request.limits.scratch_bytes, request.limits.inodes)
        found["/tmp"] = f"rw,{options}"  # noqa: S108 - the job's
    return found


def _tmpfs_options(size: int, inodes: int) -> str:
    owner = f"uid={INSIDE_USER},gid={INSIDE_USER},mode=700"
    return f"size={size},nr_inodes={inodes},{owner},nosuid,nodev,noexec"


def _mounts(request: RunRequest, tree: Tree) -> Iterator[Mount]:
    """Mount the image, the folder that ``take`` reads from, and the inputs.

    That folder is a volume without a name, gone with its container; unlike other memory-backed folders of a
    container the engine can read from it.
    """
    for inside, outside in tree.mounts:
        yield _read_only(f"/{inside}", outside)
    options = _tmpfs_options(request.limits.out_bytes, request.limits.inodes)
    memory = DriverConfig("local", {"type": "tmpfs", "device": "tmpfs", "o": options})
    yield Mount(OUT[request.layout], None, type="volume", no_copy=True, driver_config=memory)
    if len(request.inputs) > INPUTS_MAX:
        raise SandboxFailed(f"{len(request.inputs)} inputs, at most {INPUTS_MAX} are allowed")
    for name in sorted(request.inputs):
        path = request.inputs[name].resolve()
        yield _read_only(f"{_INPUTS[request.layout]}/{safe_input_name(name)}", str(path))


def _read_only(inside: str, outside: str) -> Mount:
    return Mount(inside, outside, type="bind", read_only=True)


def _gpus(request: RunRequest) -> list[DeviceRequest] | None:
    if len(request.gpus) != request.gpu_count:
        raise SandboxFailed(f"{request.gpu_count} GPUs are wanted, {len(request.gpus)} assigned")
    if not request.gpus:
        return None
    return [DeviceRequest(device_ids=list(request.gpus), capabilities=[["gpu"]])]
