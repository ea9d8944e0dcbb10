"""What the process gives up before it touches a secret. Linux only; each step says what it could not do."""

import ctypes
import os
import resource
import signal
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


def leave_network(policy: str) -> bool:
    """Move into an empty network namespace: Unix sockets still work, nothing else does. Before any thread starts.

    Returns whether it was applied; raises `EnclaveEnvironmentError` when `policy` is "required" and it was not.
    """
    if policy == "off":
        return False
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    applied: bool = ctypes.CDLL(None, use_errno=True).unshare(flags) == 0
    if not applied and policy == "required":
        raise EnclaveEnvironmentError("the kernel refuses a network namespace; set isolate_network or allow it")
    return applied


def die_with_parent() -> None:
    """A child that outlives the enclave would hold what the enclave gave it."""
    parent = os.getppid()
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or parent == 1:
        raise EnclaveEnvironmentError("the parent process is gone")
