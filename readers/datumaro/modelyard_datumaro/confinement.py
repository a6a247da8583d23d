"""Shuts this process in: what it may read and write, no network, no other processes, bounded memory and time.

Linux alone: Landlock for files (5.13 and later), seccomp for system calls. Raises OSError where either is missing, so
that nothing is read unconfined.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SECCOMP_MODE_FILTER = 2
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_VERSION = 1
RULE_PATH_BENEATH = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
#: Rights over files that each version of Landlock added to those before it.
FILE_RIGHTS = {1: (1 << 13) - 1, 2: 1 << 13, 3: TRUNCATE, 5: 1 << 15}
NETWORK_RIGHTS = 0b11
SCOPES = 0b11

#: What a Python program needs of the machine to load its libraries and find out how many processors there are.
SYSTEM = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/ld.so.cache"),
    *("/etc/localtime", "/dev/null", "/dev/zero", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo"),
    *("/sys/devices/system/cpu",),
)

#: Audit architecture, and the numbers of the system calls that are refused.
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
REFUSED = {
    "x86_64": {
        "network": (41, 53),  # socket, socketpair
        "programs": (57, 58, 59, 322),  # fork, vfork, execve, execveat
        "others": (62, 101, 129, 200, 297, 310, 311, 424, 438),  # kill, ptrace, signals, memory of others
        "kernel": (165, 248, 249, 250, 272, 298, 308, 321, 323, 425),  # mount, keys, namespaces, bpf, io_uring
    },
    "aarch64": {
        "network": (198, 199),
        "programs": (221, 281),
        "others": (129, 117, 138, 130, 240, 270, 271, 424, 438),
        "kernel": (40, 217, 218, 219, 97, 241, 268, 280, 282, 425),
    },
}
CLONE = {"x86_64": 56, "aarch64": 220}
TGKILL = {"x86_64": 234, "aarch64": 131}
PRLIMIT = {"x86_64": 302, "aarch64": 261}
CAPSET = {"x86_64": 126, "aarch64": 91}
CAPABILITY_VERSION = 0x20080522
CLONE3 = 435
CLONE_THREAD = 0x10000
#: On x86-64, system calls of the x32 kind have this bit.
X32 = 0x40000000

LOAD, JUMP, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_SET, RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
NOT_PERMITTED, NOT_THERE = 0x00050000 | 1, 0x00050000 | 38
NUMBER_AT, ARCH_AT, FIRST_AT = 0, 4, 16


def confine(
    *, read: Iterable[str], write: Iterable[str], memory_bytes: int, cpu_seconds: int, file_bytes: int, parent: int
) -> None:
    """From here on the process may read below `read` and its own libraries, and write into the files `write`.

    It dies with `parent`. Raises OSError where the kernel cannot do this.
    """
    if len(os.listdir("/proc/self/task")) != 1:
        raise OSError("threads that run already would stay outside")
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise OSError("the parent is gone")
    _prctl(PR_SET_DUMPABLE, 0)
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 256,
    }
    for name, value in limits.items():
        hard = resource.getrlimit(name)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (bound, bound))
    # A file beyond its bound is an error that can be told, not the end.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _drop_capabilities()
    _restrict_files(read, write)
    _restrict_calls()


def landlock_version() -> int:
    """0 where the kernel has none."""
    found = _libc.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(LANDLOCK_VERSION))
    return max(int(found), 0)


def lack() -> str | None:
    """Why this machine cannot shut a process in, None when it can."""
    if platform.machine() not in AUDIT_ARCH or not sys.platform.startswith("linux"):
        return f"{sys.platform} on {platform.machine()} is not known"
    if not landlock_version():
        return "the kernel has no Landlock (Linux 5.13 or later, with landlock among the security modules)"
    return None


def _own_libraries() -> set[str]:
    paths = {sys.prefix, *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))}
    paths |= {str(sysconfig.get_config_var("LIBDIR") or sys.prefix), os.path.join(sys.base_prefix, "lib")}
    return paths | {os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}


def _restrict_files(read: Iterable[str], write: Iterable[str]) -> None:
    version = landlock_version()
    if not version:
        raise OSError(lack())
    handled = sum(rights for since, rights in FILE_RIGHTS.items() if since <= version)
    attributes = struct.pack("=Q", handled)
    if version >= 4:
        attributes += struct.pack("=Q", NETWORK_RIGHTS)
    if version >= 6:
        attributes += struct.pack("=Q", SCOPES)
    ruleset = _checked(LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    try:
        for path in {*SYSTEM, *_own_libraries()}:
            if os.path.exists(path):
                _allow(ruleset, path, handled & (READ_FILE | READ_DIR | EXECUTE))
        for path in read:
            _allow(ruleset, path, handled & (READ_FILE | READ_DIR))
        for path in write:
            _allow(ruleset, path, handled & (WRITE_FILE | TRUNCATE))
        _checked(LANDLOCK_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not Path(path).is_dir():
            rights &= ~READ_DIR
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(LANDLOCK_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(RULE_PATH_BENEATH), rule, ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def _drop_capabilities() -> None:
    """Whoever runs the portal as root gives none of that away: limits stay, and files of others are theirs."""
    head = struct.pack("=Ii", CAPABILITY_VERSION, 0)
    _checked(CAPSET.get(platform.machine(), -1), head, bytes(24))


def _restrict_calls() -> None:
    machine = platform.machine()
    if machine not in AUDIT_ARCH:
        raise OSError(lack())
    numbers = sorted(number for group in REFUSED[machine].values() for number in group)
    program = [
        (LOAD, 0, 0, ARCH_AT),
        (JUMP_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, KILL),
    ]
    for number in numbers:
        program += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, NOT_PERMITTED)]
    # What is told to use the older call, whose flags can be seen here.
    program += [(JUMP_EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, NOT_THERE)]
    # Threads, yes; processes, no.
    program += [(JUMP_EQUAL, 0, 4, CLONE[machine]), (LOAD, 0, 0, FIRST_AT), (JUMP_SET, 0, 1, CLONE_THREAD)]
    program += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, NOT_PERMITTED)]
    # Signals to itself, which is how a library aborts; limits of itself.
    for call, own in ((TGKILL[machine], os.getpid()), (PRLIMIT[machine], 0)):
        program += [(JUMP_EQUAL, 0, 4, call), (LOAD, 0, 0, FIRST_AT), (JUMP_EQUAL, 0, 1, own)]
        program += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, NOT_PERMITTED)]
    program.append((RETURN, 0, 0, ALLOW))
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(head))


def _prctl(option: int, value: object, more: object = 0) -> None:
    if isinstance(value, int):
        value = ctypes.c_ulong(value)
    if _libc.prctl(ctypes.c_int(option), value, more, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")


def _checked(*words: object) -> int:
    found = int(_libc.syscall(ctypes.c_long(words[0]), *words[1:]))  # type: ignore[arg-type]
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"system call {words[0]}: {os.strerror(code)}")
    return found
