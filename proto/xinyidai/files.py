"""Files on disk: secrets that nobody else may touch, and content written whole or not at all.

Every write here is durable when the call returns. Not guaranteed: anything about a file system that lies about fsync.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path


class LooseFile(PermissionError):
    """Others than the owner may touch a file or folder with secrets."""


def refuse_loose(path: Path) -> None:
    """Raises `LooseFile`, or `OSError` when the path cannot be read."""
    status = path.stat()
    if status.st_mode & 0o077 or status.st_uid != os.geteuid():
        raise LooseFile(f"others may access {path}; run: chmod go= {path} (and own it)")


def write_whole(path: Path, raw: bytes) -> None:
    """Replace `path` (0600) by one atomic rename: after a crash it holds the old bytes or the new ones."""
    partial = _write_beside(path, raw)
    try:
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def create_whole(path: Path, raw: bytes) -> None:
    """Write a file (0600) that is not there; one that another process made meanwhile stays as it is."""
    partial = _write_beside(path, raw)
    try:
        with suppress(FileExistsError):
            path.hardlink_to(partial)
    finally:
        partial.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames, new names and removed names in a folder durable."""
    _sync(folder, os.O_DIRECTORY)


def sync_file(path: Path) -> None:
    """Make what was written to a file through any handle durable."""
    _sync(path, 0)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_beside(path: Path, raw: bytes) -> Path:
    """A new file (0600) in the same folder with all of `raw` on the disk; none is left behind when that fails."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return partial
