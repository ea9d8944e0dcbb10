"""What the process gives up before it touches a secret. Linux only; each step says what it could not do."""

import ctypes
import os
import resource
import signal
import sys
from typing import Final

from enclave.environment import EnclaveEnvironmentError

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000


def harden() -> None:
    """No core dumps, no ptrace by the same user, no new privileges, files for the owner only."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_DUMPABLE, 0), (_PR_SET_NO_NEW_PRIVS, 1)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise EnclaveEnvironmentError("prctl is refused; run the enclave where it may protect itself")


_STATE: Final = "XYD_NETWORK"
_LEAVE: Final = """
import ctypes, os, sys
flags, command = int(sys.argv[1]), sys.argv[2:]
uid, gid = os.geteuid(), os.getegid()

def leave():
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        raise OSError(ctypes.get_errno())
    if uid != 0:
        for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(line)

def tried():
    # Some kernels allow the first half alone, from which there is no way back: a child goes ahead.
    child = os.fork()
    if child == 0:
        try:
            leave()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0

left = tried()
if left:
    leave()
os.environ["XYD_NETWORK"] = "left" if left else "kept"
os.execv(command[0], command)
"""


def leave_network(policy: str) -> bool:
    """Move into an empty network namespace: Unix sockets still work, nothing else does.

    The kernel asks for a process with one thread, and the libraries have started theirs: the process replaces itself by
    a small one that leaves the network and then starts this program again, under the same process id. Returns whether
    the network was left; raises `EnclaveEnvironmentError` when `policy` is "required" and it was not.
    """
    if policy == "off":
        return False
    if _STATE not in os.environ:
        flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
        again = [sys.executable, *sys.orig_argv[1:]]
        os.execv(sys.executable, [sys.executable, "-I", "-c", _LEAVE, str(flags), *again])  # noqa: S606 (ourselves)
    left = os.environ.pop(_STATE) == "left"
    if not left and policy == "required":
        raise EnclaveEnvironmentError("the kernel refuses a network namespace; set isolate_network or allow it")
    return left


def die_with_parent(parent: int) -> None:
    """A child that outlives the enclave would hold what the enclave gave it. `parent`: the enclave's process id."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise EnclaveEnvironmentError("prctl is refused; run the enclave where it may protect itself")
    # It may have ended before the call above took effect.
    if os.getppid() != parent:
        raise EnclaveEnvironmentError("the parent process is gone")
