"""Files with secrets: read only when nobody else may touch them, written whole or not at all."""

import os
import secrets
from pathlib import Path


class LooseFile(PermissionError):
    """Others than the owner may touch a file or folder with secrets."""


def refuse_loose(path: Path) -> None:
    """Raises `LooseFile`, or `OSError` when the path cannot be read."""
    status = path.stat()
    if status.st_mode & 0o077 or status.st_uid != os.geteuid():
        raise LooseFile(f"others may access {path}; run: chmod go= {path} (and own it)")


def write_whole(path: Path, raw: bytes) -> None:
    """Replace `path` (0600) atomically and durably: after a crash it holds the old bytes or the new ones."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
