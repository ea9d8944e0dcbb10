"""Files that are on the disk when a call returns."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make renames, new names and removed names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file by one atomic rename: afterwards it holds all of `content`, or what it held before."""
    partial = _write_beside(path, content)
    partial.replace(path)
    sync_folder(path.parent)


def create_durably(path: Path, content: bytes) -> None:
    """Write a file that is not there; one that another process made meanwhile stays as it is."""
    partial = _write_beside(path, content)
    with suppress(FileExistsError):
        path.hardlink_to(partial)
    partial.unlink()
    sync_folder(path.parent)


def _write_beside(path: Path, content: bytes) -> Path:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return partial
