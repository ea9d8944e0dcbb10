"""Batches on their way: encrypted chunks appended to a file, so that a broken upload goes on where it stopped.

A file is a sealed header, then frames: length (4 bytes, big endian), nonce, ciphertext with tag. AES-256-GCM under a
key of the batch; a frame is bound to its place in the content by associated data. A frame that a crash cut short is
dropped; what `received` counts is on the disk.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from xinyidai.batches import CHUNK_BYTES, BatchFormat, BatchHeader
from xinyidai.files import sync_folder
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

    def __init__(self, folder: Path, environment: Environment, keys: KeyRing, most_bytes: int) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_loose(folder)
        self._folder, self._environment, self._keys, self._most = folder, environment, keys, most_bytes

    def find(self, department: str, batch: str) -> Staged | None:
        """What was received of a batch; None when it was never begun."""
        path = self._path(department, batch)
        if not path.exists():
            return None
        with path.open("rb") as file:
            header = self._read_header(file)
            if header is None:
                return None
            received, end = 0, file.tell()
            while (frame := _read_frame(file)) is not None:
                received += len(frame) - _NONCE_BYTES - _TAG_BYTES
                end = file.tell()
        return Staged(header, received, end)

    def begin(self, header: BatchHeader) -> Staged:
        """Begin a batch, or go on with it. Raises `Refused` when the id was begun with another content, or the disk
        set aside for batches is full."""
        found = self.find(header.department, header.batch)
        if found is not None:
            if (found.header.digest, found.header.category) != (header.digest, header.category):
                raise Refused(Reason.BATCH_CONFLICT, "this batch id was begun with another content; use a new id")
            return found
        held = sum(path.stat().st_size for path in self._folder.iterdir())
        if held + header.size > self._most:
            raise Refused(Reason.OVERLOADED, "too many batches are on their way; commit some, or try again later")
        content = json.dumps(asdict(header)).encode()
        sealed = self._environment.seal(self._label(header.department, header.batch), content)
        path = self._path(header.department, header.batch)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)
            file.flush()
            os.fsync(file.fileno())
            end = file.tell()
        sync_folder(self._folder)
        return Staged(header, 0, end)

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
        self._path(department, batch).unlink(missing_ok=True)

    def clear_category(self, categories: tuple[str, ...]) -> None:
        """Remove batches of categories whose key was destroyed, and files a crash left without a whole header."""
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with path.open("rb") as file:
                header = self._read_header(file, path.stem)
            if header is None or header.category in categories:
                path.unlink()

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
        self._file.write(len(frame).to_bytes(_LENGTH_BYTES, "big") + frame)
        self.received += len(chunk)

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def _read_frame(file: BinaryIO) -> bytes | None:
    """The next whole frame; None at the end or at one cut short."""
    raw = file.read(_LENGTH_BYTES)
    if len(raw) < _LENGTH_BYTES:
        return None
    length = int.from_bytes(raw, "big")
    if not _NONCE_BYTES + _TAG_BYTES < length <= CHUNK_BYTES + _NONCE_BYTES + _TAG_BYTES:
        return None
    frame = file.read(length)
    return frame if len(frame) == length else None
