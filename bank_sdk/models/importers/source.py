"""Bytes of a model file: read within bounds, and refused when reading them would run code."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from bank_sdk.errors import FileMalformed, ImportRefused, UnsafeFormat, UnsupportedElement

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_VALUES: Final = 2_000_000
"""Numbers, strings, lists and objects of one file: bounds the memory of a parser, about 100 bytes each."""
MAX_DEPTH: Final = 128
_SMALLER: Final = "export only the model itself; the largest scorecards have a few hundred kilobytes"
_UNSAFE: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstandard"),
    (b"\x04\x22\x4d\x18", "LZ4"),
    (b"PK\x03\x04", "a zip archive (skops, PyTorch, NumPy)"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "HDF5"),
)
_OLD_PICKLE: Final = re.compile(rb"\A(?:c[A-Za-z_][\w.]*\n\w+\n|\((?:lp|dp|i)\w|[\]}]q\x00|\]\(|\((?:[cd]|lp)\w*\n)")
# A zlib header: deflate, window of 32 KiB, a multiple of 31 (RFC 1950 section 2.2); joblib's default compression.
_ZLIB: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model came from."""

    format: str
    """Such as "xgboost json" or "pmml scorecard"."""
    name: str = ""
    """Of the file, without its folder; empty for an object in memory."""
    digest: str = ""
    """Hex SHA-256 of the file; empty for an object in memory."""
    library: str = ""
    """What made it and in which version, as far as the file says."""


@dataclass(frozen=True, slots=True)
class RawFile:
    """Untrusted bytes within the bound on size."""

    raw: bytes = field(repr=False)
    name: str

    def source(self, format_name: str, library: str = "") -> Source:
        return Source(format_name, self.name, hashlib.sha256(self.raw).hexdigest(), library)

    def text(self) -> str:
        """As UTF-8, with or without a byte order mark. Raises `FileMalformed`."""
        try:
            return self.raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FileMalformed("not a text in UTF-8", place=self.name) from error


Readable = str | os.PathLike[str] | bytes
"""A path, or the bytes of the file themselves."""


def read(source: Readable) -> RawFile:
    """Raises `FileMalformed` for what cannot be read or is too large, `UnsafeFormat` for pickles and archives."""
    if isinstance(source, bytes):
        file = RawFile(source, "bytes")
    elif isinstance(source, str | os.PathLike):
        file = _read_path(Path(source))
    else:
        raise ImportRefused(f"cannot read a {type(source).__name__}", mend="give a path, or the bytes of the file")
    if len(file.raw) > MAX_BYTES:
        raise FileMalformed(f"a model has at most {MAX_BYTES} bytes", place=file.name, mend=_SMALLER)
    refuse_unsafe(file)
    return file


def _read_path(path: Path) -> RawFile:
    try:
        with path.open("rb") as stream:
            # One byte over the bound is enough to know: what a name leads to may grow, or never end.
            return RawFile(stream.read(MAX_BYTES + 1), path.name)
    except (OSError, ValueError) as error:
        raise FileMalformed(f"cannot be read ({type(error).__name__})", place=path.name) from error


def refuse_unsafe(file: RawFile) -> None:
    head = file.raw[:64]
    kind = next((kind for magic, kind in _UNSAFE if head.startswith(magic)), None)
    if re.match(rb"\A\x80[\x00-\x0a]", head) or _OLD_PICKLE.match(head):
        kind = "a pickle or joblib file"
    if head.startswith(_ZLIB):
        kind = "zlib, as joblib writes it"
    if kind is not None:
        raise UnsafeFormat(
            f"is {kind}; reading such a file can run code that stands in it",
            place=file.name,
            mend="load it yourself where you trust it and pass the live object, or export PMML, JSON, text or CSV",
        )


def parse_json(file: RawFile) -> Any:
    """Strict JSON: no key twice, bounded size and depth. Numbers may be NaN; users check. Raises `FileMalformed`."""
    if sum(file.raw.count(mark) for mark in (b",", b"[", b"{")) > MAX_VALUES:
        raise FileMalformed(f"holds more than {MAX_VALUES} values", place=file.name, mend=_SMALLER)
    try:
        return json.loads(file.text(), object_pairs_hook=_unique)
    except _DuplicateKey as error:
        raise FileMalformed(f"key {error.args[0]!r} stands twice in one object", place=file.name) from error
    except RecursionError as error:
        raise FileMalformed("nested deeper than any model", place=file.name) from error
    except ValueError as error:
        raise FileMalformed(f"not JSON: {str(error)[:120]}", place=file.name) from error


class _DuplicateKey(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKey(next(name for name in names if names.count(name) > 1)[:80])
    return found


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a parsed document with its place, so that every refusal can say where."""

    value: Any = field(repr=False)
    place: str

    def __getitem__(self, key: str) -> "Item":
        if not isinstance(self.value, Mapping) or key not in self.value:
            self.malformed(f"has no {key}")
        return Item(self.value[key], f"{self.place}.{key}")

    def get(self, key: str) -> "Item | None":
        return self[key] if isinstance(self.value, Mapping) and key in self.value else None

    def items(self) -> Iterator["Item"]:
        if not isinstance(self.value, list | tuple):
            self.malformed("is no list")
        return (Item(value, f"{self.place}[{at}]") for at, value in enumerate(self.value))

    def fields(self) -> Iterator[tuple[str, "Item"]]:
        if not isinstance(self.value, Mapping):
            self.malformed("is no object")
        return ((str(key), Item(value, f"{self.place}.{key}")) for key, value in self.value.items())

    def text(self) -> str:
        if not isinstance(self.value, str):
            self.malformed("is no text")
        return str(self.value)

    def number(self) -> float:
        """Finite."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            self.malformed("is no number")
        return finite(self.value, self.place)

    def whole(self, lowest: int, highest: int) -> int:
        """JSON writers give integers as text too."""
        value = self.value
        if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,18}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.malformed("is no whole number")
        if not lowest <= value <= highest:
            self.malformed(f"is not within {lowest} and {highest}")
        return int(value)

    def malformed(self, message: str) -> NoReturn:
        raise FileMalformed(message, place=self.place)

    def unsupported(self, message: str, mend: str) -> NoReturn:
        raise UnsupportedElement(message, place=self.place, mend=mend)


NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""Plain notation: no NaN, no infinity, no underscores, no other digits than these ten."""


def finite(value: Any, place: str) -> float:
    """A number, or the text of one in plain notation. Raises `FileMalformed`, also for NaN and infinities."""
    if isinstance(value, str) and not NUMBER.fullmatch(value.strip()):
        raise FileMalformed(f"{value[:40]!r} is no finite number", place=place)
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError) as error:
        raise FileMalformed("no finite number", place=place) from error
    if number - number != 0:
        raise FileMalformed(f"{number} is no finite number", place=place)
    return number
