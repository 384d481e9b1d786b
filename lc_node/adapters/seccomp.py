"""Which system calls a job may make: one table, compiled to a classic BPF program without any library.

The program is what ``seccomp(2)`` runs on each call. It answers with "not permitted" to what the table does not
name, with "not implemented" to calls newer than the table (so that libraries fall back, as they do on an old
kernel), and kills a process that calls through another architecture's door (32-bit calls have other numbers).
"""

import errno
import importlib.resources
import struct
from collections.abc import Iterable
from typing import Final

import msgspec

_LOAD: Final = 0x20
_IF_EQUAL: Final = 0x15
_IF_GREATER: Final = 0x25
_IF_AT_LEAST: Final = 0x35
_IF_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06

_NUMBER_AT: Final = 0  # offsets in struct seccomp_data, linux/seccomp.h
_ARCHITECTURE_AT: Final = 4
_ARGUMENTS_AT: Final = 16

_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_REFUSE: Final = 0x00050000
_NOT_PERMITTED: Final = _REFUSE | errno.EPERM
_NOT_IMPLEMENTED: Final = _REFUSE | errno.ENOSYS


class WithoutBits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call that is allowed while none of some bits are set in an argument."""

    name: str
    number: int
    argument: int
    bits: int


class WithValues(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call that is allowed with some values of an argument only."""

    name: str
    number: int
    argument: int
    values: tuple[int, ...]


class SyscallTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What jobs may call on one architecture; numbers are those of its kernel headers."""

    architecture: str
    audit_architecture: int
    newest_known: int
    allow: dict[str, int]
    missing: dict[str, int]
    """Calls that answer "not implemented", so that libc falls back to one that can be checked."""
    allow_without_bits: tuple[WithoutBits, ...]
    allow_values: tuple[WithValues, ...]

    def without(self, names: Iterable[str]) -> "SyscallTable":
        """Return a table that refuses some more calls."""
        refused = set(names)
        allow = {name: number for name, number in self.allow.items() if name not in refused}
        return msgspec.structs.replace(self, allow=allow)


def syscall_table() -> SyscallTable:
    """Return the table that is shipped with the package."""
    data = importlib.resources.files(__package__).joinpath("seccomp.json").read_bytes()
    return msgspec.json.decode(data, type=SyscallTable)


def bpf_program(table: SyscallTable) -> bytes:
    """Compile the table to what ``bwrap --seccomp`` reads: an array of ``struct sock_filter``."""
    program = _only_this_architecture(table.audit_architecture)
    program += _instruction(_IF_GREATER, table.newest_known, 0, 1)
    program += _instruction(_RETURN, _NOT_IMPLEMENTED)
    for number in sorted(table.missing.values()):
        program += _instruction(_IF_EQUAL, number, 0, 1)
        program += _instruction(_RETURN, _NOT_IMPLEMENTED)
    for masked in table.allow_without_bits:
        program += _allow_without_bits(masked)
    for valued in table.allow_values:
        program += _allow_values(valued)
    for first, last in _spans(table.allow.values()):
        program += _allow_span(first, last)
    return program + _instruction(_RETURN, _NOT_PERMITTED)


def docker_profile(table: SyscallTable) -> dict[str, object]:
    """Return the same policy in the form that a Docker engine takes as ``seccomp=``."""
    rules: list[dict[str, object]] = [
        {"names": sorted(table.allow), "action": "SCMP_ACT_ALLOW"},
        {
            "names": sorted(table.missing),
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": errno.ENOSYS,
        },
    ]
    for masked in table.allow_without_bits:
        check = {"index": masked.argument, "value": masked.bits, "valueTwo": 0}
        rules.append(_docker_rule(masked.name, {**check, "op": "SCMP_CMP_MASKED_EQ"}))
    for valued in table.allow_values:
        for value in valued.values:
            check = {"index": valued.argument, "value": value}
            rules.append(_docker_rule(valued.name, {**check, "op": "SCMP_CMP_EQ"}))
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.EPERM,
        "architectures": [f"SCMP_ARCH_{table.architecture.upper()}"],
        "syscalls": rules,
    }


def _docker_rule(name: str, check: dict[str, object]) -> dict[str, object]:
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [check]}


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def _only_this_architecture(audit_architecture: int) -> bytes:
    return (
        _instruction(_LOAD, _ARCHITECTURE_AT)
        + _instruction(_IF_EQUAL, audit_architecture, 1, 0)
        + _instruction(_RETURN, _KILL)
        + _instruction(_LOAD, _NUMBER_AT)
    )


def _allow_without_bits(call: WithoutBits) -> bytes:
    return (
        _instruction(_IF_EQUAL, call.number, 0, 4)
        + _instruction(_LOAD, _low_half_at(call.argument))
        + _instruction(_IF_ANY_BIT, call.bits, 0, 1)
        + _instruction(_RETURN, _NOT_PERMITTED)
        + _instruction(_RETURN, _ALLOW)
    )


def _allow_values(call: WithValues) -> bytes:
    count = len(call.values)
    checks = b"".join(
        _instruction(_IF_EQUAL, value, count - place, 0) for place, value in enumerate(call.values)
    )
    return (
        _instruction(_IF_EQUAL, call.number, 0, count + 3)
        + _instruction(_LOAD, _low_half_at(call.argument))
        + checks
        + _instruction(_RETURN, _NOT_PERMITTED)
        + _instruction(_RETURN, _ALLOW)
    )


def _allow_span(first: int, last: int) -> bytes:
    if first == last:
        return _instruction(_IF_EQUAL, first, 0, 1) + _instruction(_RETURN, _ALLOW)
    return (
        _instruction(_IF_AT_LEAST, first, 0, 2)
        + _instruction(_IF_GREATER, last, 1, 0)
        + _instruction(_RETURN, _ALLOW)
    )


def _low_half_at(argument: int) -> int:
    """Arguments are 64 bits wide; those that we check are 32-bit numbers to the kernel."""
    return _ARGUMENTS_AT + 8 * argument


def _spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Group numbers into runs, so that the program stays short."""
    spans: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if spans and spans[-1][1] == number - 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans
