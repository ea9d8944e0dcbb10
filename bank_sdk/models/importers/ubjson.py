"""Universal Binary JSON, draft 12, as model files use it. Untrusted: every length is checked before use."""

from typing import Any, Final

import numpy as np

from bank_sdk.errors import FileMalformed
from bank_sdk.models.importers.source import MAX_DEPTH, MAX_VALUES, RawFile

_NUMBERS: Final = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
_WHOLE: Final = frozenset(b"iUIlL")
_CONSTANTS: Final = {b"Z": None, b"T": True, b"F": False}


def parse_ubjson(file: RawFile) -> Any:
    """Objects to dicts, arrays to lists. Raises `FileMalformed`: truncated, too deep, too many values, keys twice."""
    reader = _Reader(file)
    value = reader.value(reader.marker(), 0)
    if reader.at != len(file.raw):
        reader.malformed("bytes after the end of the document")
    return value


class _Reader:
    def __init__(self, file: RawFile) -> None:
        self.raw = file.raw
        self.name = file.name
        self.at = 0
        self.values = 0

    def value(self, marker: bytes, depth: int) -> Any:
        self._count(1)
        if depth > MAX_DEPTH:
            self.malformed(f"nested deeper than {MAX_DEPTH}")
        if marker in _NUMBERS:
            return self._numbers(marker, 1)[0]
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker in (b"S", b"H"):
            return self._string()
        if marker == b"C":
            return self._take(1).decode("latin-1")
        if marker == b"[":
            return self._array(depth)
        if marker == b"{":
            return self._object(depth)
        return self.malformed(f"unknown type {marker!r}")

    def marker(self) -> bytes:
        """The next type; no-op markers carry nothing."""
        found = self._take(1)
        while found == b"N":
            found = self._take(1)
        return found

    def malformed(self, message: str) -> Any:
        raise FileMalformed(message, place=f"{self.name}, byte {self.at}")

    def _array(self, depth: int) -> list[Any]:
        kind, size, following = self._head()
        if size is None:
            found = []
            while following != b"]":
                found.append(self.value(following, depth + 1))
                following = self.marker()
            return found
        self._count(size)
        if kind in _NUMBERS:
            return self._numbers(kind, size)
        return [self.value(kind or self.marker(), depth + 1) for _ in range(size)]

    def _object(self, depth: int) -> dict[str, Any]:
        kind, size, following = self._head()
        found: dict[str, Any] = {}
        while (following != b"}") if size is None else (len(found) < size):
            if size is None:
                self.at -= 1
            key = self._string()
            if key in found:
                self.malformed(f"key {key[:80]!r} stands twice in one object")
            found[key] = self.value(kind or self.marker(), depth + 1)
            if size is None:
                following = self.marker()
        return found

    def _head(self) -> tuple[bytes, int | None, bytes]:
        """Of a container: the type of its items or b"", their number or None, and the marker read in looking."""
        kind, marker = b"", self.marker()
        if marker == b"$":
            kind, marker = self._take(1), self.marker()
            if marker != b"#":
                self.malformed("a typed container needs a count")
        if marker != b"#":
            return kind, None, marker
        return kind, self._length(), b""

    def _string(self) -> str:
        raw = self._take(self._length())
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.malformed("a text that is not UTF-8")
            raise

    def _length(self) -> int:
        marker = self.marker()
        if marker[0] not in _WHOLE:
            self.malformed("a length must be a whole number")
        size = int(self._numbers(marker, 1)[0])
        if not 0 <= size <= len(self.raw):
            self.malformed(f"a length of {size} in a file of {len(self.raw)} bytes")
        return size

    def _numbers(self, marker: bytes, count: int) -> list[Any]:
        kind = np.dtype(_NUMBERS[marker])
        found: list[Any] = np.frombuffer(self._take(count * kind.itemsize), kind).tolist()
        return found

    def _take(self, size: int) -> bytes:
        if self.at + size > len(self.raw):
            self.malformed("the file ends too early")
        self.at += size
        return self.raw[self.at - size : self.at]

    def _count(self, added: int) -> None:
        self.values += added
        if self.values > MAX_VALUES:
            self.malformed(f"holds more than {MAX_VALUES} values")
