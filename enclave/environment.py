"""What the enclave takes from the machine it runs on, behind a Protocol: time, randomness, sealing, evidence.

In software the sealing key is a file that only the enclave's user can read. A confidential VM can stand behind the same
Protocol, with a hardware key and attestation as evidence.
"""

import ctypes
import mmap
import os
import stat
import time
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from xinyidai import files

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class EnclaveEnvironmentError(RuntimeError):
    """The machine is not as the enclave needs it; the text says what to change. The enclave does not start."""


class Environment(Protocol):
    def clock(self) -> int:
        """Seconds since 1970-01-01 UTC."""

    def random_bytes(self, count: int) -> bytes: ...

    def seal(self, label: str, secret: bytes) -> bytes:
        """Encrypt for this enclave only, bound to `label`."""

    def unseal(self, label: str, sealed: bytes) -> "LockedBytes": ...

    def evidence(self) -> str:
        """What vouches for the code that runs; "software" vouches for nothing."""


class LockedBytes:
    """Bytes in memory that is locked against swapping, left out of core dumps and wiped when closed.

    Not guaranteed: that the interpreter or a library makes no copy while using them.
    """

    __slots__ = ("_map",)

    def __init__(self, secret: bytes | bytearray) -> None:
        self._map = mmap.mmap(-1, len(secret))
        self._map.madvise(mmap.MADV_DONTDUMP)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        if ctypes.CDLL(None, use_errno=True).mlock(ctypes.c_void_p(address), ctypes.c_size_t(len(secret))) != 0:
            raise EnclaveEnvironmentError("memory cannot be locked; raise the limit with `ulimit -l`")
        self._map[:] = bytes(secret)

    def reveal(self) -> bytes:
        """The secret itself, for the one call that needs it."""
        return bytes(self._map)

    def wipe(self) -> None:
        self._map[:] = bytes(len(self._map))

    def __repr__(self) -> str:
        return "LockedBytes(**redacted**)"

    def __reduce__(self) -> Any:
        raise TypeError("locked bytes cannot be pickled")


def refuse_loose(path: Path) -> None:
    """Raises `EnclaveEnvironmentError` when anyone but the owner may touch `path`."""
    try:
        files.refuse_loose(path)
    except files.LooseFile as error:
        raise EnclaveEnvironmentError(str(error)) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def refuse_writable(path: Path) -> None:
    """For what is public but decides whom the enclave believes. Raises `EnclaveEnvironmentError` when anyone but the
    owner or root may change `path` or put another file in its place: its folder counts too, and where a link leads.
    Not checked: the folders above those, and links on the way there."""
    trusted = (0, os.geteuid())
    try:
        status = path.stat()
        if status.st_mode & 0o022 or not {status.st_uid, path.lstat().st_uid} <= set(trusted):
            raise _changeable(path)
        for folder in dict.fromkeys((path.absolute().parent, path.resolve().parent)):
            status = folder.stat()
            # In a sticky folder, such as /tmp, nobody replaces what is another's.
            others = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
            if others or status.st_uid not in trusted:
                raise _changeable(folder)
    except OSError as error:
        raise _unreadable(path, error) from error


def _changeable(path: Path) -> EnclaveEnvironmentError:
    return EnclaveEnvironmentError(f"others may change {path}; run: chmod go-w {path} (and own it)")


def _unreadable(path: Path, error: OSError) -> EnclaveEnvironmentError:
    return EnclaveEnvironmentError(f"{path.name} cannot be read: {error.strerror}")


class SoftwareEnvironment:
    """Sealing under a key file; the operating system's clock and randomness."""

    def __init__(self, sealing_key: Path) -> None:
        refuse_loose(sealing_key)
        raw = sealing_key.read_bytes()
        if len(raw) != KEY_BYTES:
            raise EnclaveEnvironmentError(f"{sealing_key.name} must hold exactly {KEY_BYTES} random bytes")
        self._key = LockedBytes(raw)

    def clock(self) -> int:
        return int(time.time())

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def seal(self, label: str, secret: bytes) -> bytes:
        nonce = self.random_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._key.reveal()).encrypt(nonce, secret, label.encode())

    def unseal(self, label: str, sealed: bytes) -> LockedBytes:
        """Raises `EnclaveEnvironmentError` when the data was sealed elsewhere, under another label, or changed."""
        try:
            cipher = AESGCM(self._key.reveal())
            return LockedBytes(cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], label.encode()))
        except (InvalidTag, ValueError) as error:
            raise EnclaveEnvironmentError(f"the sealed {label} does not open with this sealing key") from error

    def evidence(self) -> str:
        return "software"
