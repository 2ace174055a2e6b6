"""The system calls that code in the sandbox may not make, as a filter for bubblewrap.

Namespaces hide files, processes and the network. The filter closes what they leave open: new user
namespaces (in which a process has capabilities and mounts file systems without limits), sockets
of families that no network namespace separates (vsock reaches the host of a virtual machine),
memory that belongs to no process (System V, memfd), and parts of Linux that have often been the
way out (io_uring, bpf, keys, ptrace).

The filter is a program for the kernel's classic BPF machine. It lists what is forbidden, since
scientific libraries use more than anybody would list as allowed.
"""

from __future__ import annotations

import errno
import platform
import struct
from typing import Final, NamedTuple

__all__ = ["filter_program"]


class _Machine(NamedTuple):
    audit: int
    clone: int
    clone3: int
    memfd_create: int
    socket: int
    forbidden: tuple[int, ...]


# fmt: off
_SAME: Final = (
    425, 426, 427,  # io_uring_setup, _enter, _register
    428, 429, 430, 431, 432, 433, 442,  # open_tree, move_mount, fsopen … fspick, mount_setattr
    438, 440, 447,  # pidfd_getfd, process_madvise, memfd_secret
)
"""Numbers that are the same on all machines: those of recent system calls."""

_MACHINES: Final = {
    "x86_64": _Machine(
        audit=0xC000003E, clone=56, clone3=435, memfd_create=319, socket=41,
        forbidden=(
            101, 310, 311, 312,  # ptrace, process_vm_readv, process_vm_writev, kcmp
            165, 166, 155, 161, 272, 308,  # mount, umount2, pivot_root, chroot, unshare, setns
            248, 249, 250, 321, 298, 323,  # add_key, request_key, keyctl, bpf, perf_event_open,
            # and userfaultfd
            29, 64, 68, 240,  # shmget, semget, msgget, mq_open
            175, 176, 313, 246, 320,  # init_module, delete_module, finit_module, kexec_*
            303, 304, 300, 179,  # name_to_handle_at, open_by_handle_at, fanotify_init, quotactl
            167, 168, 169, 163, 103,  # swapon, swapoff, reboot, acct, syslog
            135, 154, 172, 173, 278,  # personality, modify_ldt, iopl, ioperm, vmsplice
            *_SAME,
        ),
    ),
    "aarch64": _Machine(
        audit=0xC00000B7, clone=220, clone3=435, memfd_create=279, socket=198,
        forbidden=(
            117, 270, 271, 272, 40, 39, 41, 51, 97, 268, 217, 218, 219, 280, 241, 282,
            194, 190, 186, 180, 105, 106, 273, 104, 294, 264, 265, 262, 60,
            224, 225, 142, 89, 116, 92, 75,
            *_SAME,
        ),
    ),
}
# fmt: on

_NAMESPACES: Final = 0x7E020000
"""The flags of ``clone`` that make namespaces."""
_FAMILIES: Final = (1, 2, 10)
"""Allowed families of sockets: local ones, and IP inside of the sandbox's own network."""
_NETLINK, _NETLINK_ROUTE = 16, 0
"""Allowed only to list network interfaces, which ZeroMQ does."""
_X32: Final = 0x40000000
"""Numbers from here on are those of the x32 interface, which nothing uses."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _THIRD_ARGUMENT = 0, 4, 16, 32
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def filter_program(machine: str | None = None) -> bytes | None:
    """Return the filter for a machine (by default this one), or None for one that is not known."""
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return None
    program = [
        _code(_LOAD, _ARCHITECTURE),
        *_if(_EQUAL, known.audit, skip=1),
        _code(_RETURN, _KILL),
        _code(_LOAD, _NUMBER),
        *_refuse(_AT_LEAST, _X32, errno.ENOSYS),
        *_refuse(_EQUAL, known.clone3, errno.ENOSYS),  # callers fall back on clone
        *_refuse(_EQUAL, known.memfd_create, errno.ENOSYS),
    ]
    for number in known.forbidden:
        program += _refuse(_EQUAL, number, errno.EPERM)
    # In the two branches the accumulator holds an argument, so each ends by itself.
    program += [
        _code(_EQUAL, known.clone, 0, 4),
        _code(_LOAD, _FIRST_ARGUMENT),
        *_refuse(_ANY_BIT, _NAMESPACES, errno.EPERM),
        _code(_RETURN, _ALLOW),
        _code(_EQUAL, known.socket, 0, 5 + len(_FAMILIES)),
        _code(_LOAD, _FIRST_ARGUMENT),
        *[_code(_EQUAL, each, 3 + len(_FAMILIES) - n, 0) for n, each in enumerate(_FAMILIES)],
        _code(_EQUAL, _NETLINK, 0, 2),
        _code(_LOAD, _THIRD_ARGUMENT),
        _code(_EQUAL, _NETLINK_ROUTE, 1, 0),
        _code(_RETURN, _ERRNO | errno.EAFNOSUPPORT),
        _code(_RETURN, _ALLOW),
    ]
    return b"".join(program)


def _code(operation: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, if_true, if_false, value)


def _if(operation: int, value: int, *, skip: int) -> list[bytes]:
    return [_code(operation, value, skip, 0)]


def _refuse(operation: int, value: int, error: int) -> list[bytes]:
    return [_code(operation, value, 0, 1), _code(_RETURN, _ERRNO | error)]
