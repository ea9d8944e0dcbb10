"""Batches on their way: encrypted chunks appended to a file, so that a broken upload goes on where it stopped.

A file is a sealed header, then frames: length (4 bytes, big endian), nonce, ciphertext with tag. AES-256-GCM under a
key of the batch; a frame is bound to its place in the content by associated data. A frame that a crash cut short is
dropped; what `received` counts is on the disk.

Space is set aside for a whole batch when it is begun, in one step with the check that there is enough, for all
departments together and for each.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from xinyidai.batches import CHUNK_BYTES, BatchFormat, BatchHeader
from xinyidai.files import write_whole
from xinyidai.identifiers import BatchId, DepartmentId
from xinyidai.reasons import Reason

from enclave.environment import EnclaveEnvironmentError, Environment, refuse_loose
from enclave.errors import Refused
from enclave.records.vault.keys import KeyRing

_LENGTH_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_MAX_HEADER: Final = 64 * 1024
_SUFFIX: Final = ".batch"


def room_for(size: int) -> int:
    """Most bytes of the disk that a batch of `size` bytes takes: its header, and frames of 256 bytes or more."""
    return size + size // 8 + _MAX_HEADER


@dataclass(frozen=True, slots=True)
class Staged:
    """A batch that was begun."""

    header: BatchHeader
    received: int
    """Bytes of the content that are on the disk."""
    end: int
    """Bytes of the file that are whole."""


class Staging:
    """The batches under one folder (0700). Calls about one batch must not overlap."""

    def __init__(
        self, folder: Path, environment: Environment, keys: KeyRing, most_bytes: int, *, department_bytes: int
    ) -> None:
        """`most_bytes`, `department_bytes`: what all batches, and those of one department, may take of the disk."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_loose(folder)
        self._folder, self._environment, self._keys = folder, environment, keys
        self._most, self._share = most_bytes, department_bytes
        self._guard = threading.Lock()
        self._rooms: dict[str, tuple[str, int]] = {
            path.stem: (header.department, room_for(header.size)) for path, header in self._headers() if header
        }
        """File name to the department and the space set aside."""

    def find(self, department: str, batch: str) -> Staged | None:
        """What was received of a batch; None when it was never begun."""
        path = self._path(department, batch)
        if not path.exists():
            return None
        with path.open("rb") as file:
            header = self._read_header(file)
            if header is None:
                return None
            received, end, size = 0, file.tell(), os.fstat(file.fileno()).st_size
            while (length := _frame_length(file)) and file.tell() + length <= size:
                received += length - _NONCE_BYTES - _TAG_BYTES
                end = file.seek(length, os.SEEK_CUR)
        return Staged(header, received, end)

    def begin(self, header: BatchHeader) -> Staged:
        """Begin a batch, or go on with it. Raises `Refused` when the id was begun with another content, or the
        department's space or that of all is full."""
        found = self.find(header.department, header.batch)
        if found is not None:
            if (found.header.digest, found.header.category) != (header.digest, header.category):
                raise Refused(Reason.BATCH_CONFLICT, "this batch id was begun with another content; use a new id")
            return found
        content = json.dumps(asdict(header)).encode()
        sealed = self._environment.seal(self._label(header.department, header.batch), content)
        path = self._path(header.department, header.batch)
        self._set_aside(path.stem, header.department, room_for(header.size))
        try:
            write_whole(path, len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)
            _touch(path, self._environment)
        except BaseException:
            self.remove(header.department, header.batch)
            raise
        return Staged(header, 0, _LENGTH_BYTES + len(sealed))

    def _set_aside(self, name: str, department: str, room: int) -> None:
        with self._guard:
            own = sum(taken for holder, taken in self._rooms.values() if holder == department)
            if own + room > self._share:
                raise Refused(
                    Reason.BATCH_SPACE, "this department has too many batches on their way; commit them, or send fewer"
                )
            if sum(taken for _, taken in self._rooms.values()) + room > self._most:
                raise Refused(Reason.OVERLOADED, "too many batches are on their way; try again later")
            self._rooms[name] = department, room

    def appender(self, staged: Staged) -> "Appender":
        path = self._path(staged.header.department, staged.header.batch)
        return Appender(path, staged, self._cipher(staged.header), self._environment)

    def content(self, staged: Staged) -> Any:
        """The whole content, as a `pyarrow.Buffer`, after checking size and digest. Raises `Refused`."""
        header = staged.header
        if staged.received != header.size:
            raise Refused(Reason.BATCH_INCOMPLETE, f"{staged.received} of {header.size} bytes arrived; send the rest")
        content = bytearray()
        digest = hashlib.sha256()
        for part in self._frames(staged):
            content += part
            digest.update(part)
        if digest.hexdigest() != header.digest:
            self.remove(header.department, header.batch)
            raise Refused(Reason.BATCH_CONTENT, "the content is not what the header was signed for; send it anew")
        return pa.py_buffer(content)

    def remove(self, department: str, batch: str) -> None:
        self._forget(self._path(department, batch))

    def _forget(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        with self._guard:
            self._rooms.pop(path.stem, None)

    def clear_category(self, categories: tuple[str, ...]) -> None:
        """Remove batches of categories whose key was destroyed, and files without a whole header."""
        for path, header in self._headers():
            if header is None or header.category in categories:
                self._forget(path)

    def untouched_since(self, moment: int) -> list[tuple[str, str]]:
        """(department, batch) of batches no byte of which came after `moment`, seconds since 1970-01-01 UTC."""
        return [
            (header.department, header.batch)
            for path, header in self._headers()
            if header is not None and path.stat().st_mtime <= moment
        ]

    def _headers(self) -> Iterator[tuple[Path, BatchHeader | None]]:
        for path in self._folder.glob(f"*{_SUFFIX}"):
            try:
                with path.open("rb") as file:
                    header = self._read_header(file, path.stem)
            except FileNotFoundError:  # committed meanwhile
                continue
            yield path, header

    def _frames(self, staged: Staged) -> Iterator[bytes]:
        cipher, at = self._cipher(staged.header), 0
        with self._path(staged.header.department, staged.header.batch).open("rb") as file:
            self._read_header(file)
            while file.tell() < staged.end and (frame := _read_frame(file)) is not None:
                try:
                    part = cipher.decrypt(frame[:_NONCE_BYTES], frame[_NONCE_BYTES:], at.to_bytes(8, "big"))
                except InvalidTag:
                    raise Refused(Reason.BATCH_CONTENT, "the batch was damaged on the disk; send it anew") from None
                at += len(part)
                yield part

    def _cipher(self, header: BatchHeader) -> AESGCM:
        name = self._name(header.department, header.batch)
        return AESGCM(self._keys.derive(header.category, f"staging/v1/{name}/{header.digest}"))

    def _read_header(self, file: BinaryIO, name: str | None = None) -> BatchHeader | None:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "big")
        sealed = file.read(min(length, _MAX_HEADER))
        try:
            raw = self._environment.unseal(f"staging/{name or Path(file.name).stem}", sealed).reveal()
        except EnclaveEnvironmentError:
            return None
        members = json.loads(raw)
        return BatchHeader(
            **{
                **members,
                "department": DepartmentId(members["department"]),
                "batch": BatchId(members["batch"]),
                "audience": tuple(members["audience"]),
                "format": BatchFormat(members["format"]),
            }
        )

    def _label(self, department: str, batch: str) -> str:
        return f"staging/{self._name(department, batch)}"

    def _path(self, department: str, batch: str) -> Path:
        return self._folder / f"{self._name(department, batch)}{_SUFFIX}"

    @staticmethod
    def _name(department: str, batch: str) -> str:
        return hashlib.sha256(f"{department}/{batch}".encode()).hexdigest()[:40]


class Appender:
    """Adds chunks to one batch. Leaving the context makes them durable."""

    def __init__(self, path: Path, staged: Staged, cipher: AESGCM, environment: Environment) -> None:
        self._size, self.received = staged.header.size, staged.received
        self._room = room_for(staged.header.size) - staged.end
        self._cipher, self._environment = cipher, environment
        self._file = path.open("r+b")
        self._file.truncate(staged.end)
        self._file.seek(staged.end)

    def append(self, chunk: bytes) -> None:
        """Raises `Refused` for a chunk that is empty, too long, or more than the header announced."""
        if not 1 <= len(chunk) <= CHUNK_BYTES:
            raise Refused(Reason.REQUEST_TOO_LARGE, f"a chunk has 1 to {CHUNK_BYTES} bytes")
        if self.received + len(chunk) > self._size:
            raise Refused(Reason.BATCH_CONTENT, "more bytes came than the header announced")
        nonce = self._environment.random_bytes(_NONCE_BYTES)
        frame = nonce + self._cipher.encrypt(nonce, chunk, self.received.to_bytes(8, "big"))
        self._room -= _LENGTH_BYTES + len(frame)
        if self._room < 0:
            raise Refused(
                Reason.REQUEST_TOO_LARGE, "chunks this small take more of the disk than was set aside; use a new id"
            )
        self._file.write(len(frame).to_bytes(_LENGTH_BYTES, "big") + frame)
        self.received += len(chunk)

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        _touch(self._file.fileno(), self._environment)
        self._file.close()


def _touch(file: Path | int, environment: Environment) -> None:
    """The enclave's clock decides when a batch was last touched."""
    os.utime(file, (environment.clock(), environment.clock()))


def _read_frame(file: BinaryIO) -> bytes | None:
    """The next whole frame; None at the end or at one cut short."""
    length = _frame_length(file)
    frame = file.read(length)
    return frame if length and len(frame) == length else None


def _frame_length(file: BinaryIO) -> int:
    """Bytes of the frame that begins here; 0 where none does."""
    raw = file.read(_LENGTH_BYTES)
    length = int.from_bytes(raw, "big") if len(raw) == _LENGTH_BYTES else 0
    whole = _NONCE_BYTES + _TAG_BYTES < length <= CHUNK_BYTES + _NONCE_BYTES + _TAG_BYTES
    return length if whole else 0
