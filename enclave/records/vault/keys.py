"""One key a category, wrapped by the enclave's sealing key; and what is derived from it.

A category's key is written nowhere but in its own file, so erasing that file makes every byte ever stored of the
category unreadable, in every backup of the segments too. Not guaranteed: that a disk which moves blocks by itself
(an SSD, a copy-on-write file system) overwrites the old place, or that nobody copied the key file before.
"""

import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from xinyidai.files import create_whole, sync_folder

from enclave.environment import KEY_BYTES, Environment, LockedBytes

_SUFFIX: Final = ".sealed"


class KeyRing:
    """The keys under one folder (0700). Keys are made on first use."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        self._folder = folder
        self._environment = environment
        self._open: dict[str, LockedBytes] = {}

    def derive(self, category: str, purpose: str) -> bytes:
        """32 bytes for one purpose (HKDF, RFC 5869), such as one segment. Raises `EnclaveEnvironmentError`."""
        return HKDF(SHA256(), KEY_BYTES, None, purpose.encode()).derive(self._key(category).reveal())

    def holds(self, category: str) -> bool:
        return self._path(category).exists()

    def destroy(self, category: str) -> None:
        """Overwrite the key file, remove it, and forget the key. Doing it again changes nothing."""
        known = self._open.pop(category, None)
        if known is not None:
            known.wipe()
        path = self._path(category)
        if not path.exists():
            return
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        sync_folder(self._folder)

    def _key(self, category: str) -> LockedBytes:
        if category not in self._open:
            path, label = self._path(category), f"vault-key/{category}"
            if not path.exists():
                create_whole(path, self._environment.seal(label, self._environment.random_bytes(KEY_BYTES)))
            self._open[category] = self._environment.unseal(label, path.read_bytes())
        return self._open[category]

    def _path(self, category: str) -> Path:
        return self._folder / f"{category}{_SUFFIX}"
