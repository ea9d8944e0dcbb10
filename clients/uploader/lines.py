"""The lines of a CSV file, put so that a mistake in one of them cannot swallow the next.

A quotation mark that is opened and never closed makes a text of everything that follows, to the next mark or to the end
of the file. RFC 4180 lets a quoted field span lines, so such a field is looked at closely: it is believed when it ends
soon and no line inside it could be a record of its own. A line that is not believed, or that is endless, goes on as a
line the reader is sure to set aside, so that it is reported under its number and every other line is read.

Arrow's reader also gives up the whole file over a line that has the wrong number of columns and is no UTF-8, as lines
of GB18030 are; so wherever a text is not UTF-8, columns are counted here.
"""

import io
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from xinyidai.batches import MAX_TEXT_CHARACTERS

_BLOCK_BYTES: Final = 1024 * 1024
"""A line longer than twice this is endless."""
_MAX_SPAN: Final = 64
"""Most further lines of one record, which together have no more than a block's bytes: a line that opens a quotation
is looked at no further, or a file of such lines would be read many times over."""
_FIELD: Final = re.compile(rb'"(?:[^"]+|"")*+("?)[^,]*(?:,|\Z)|[^,]*(?:,|\Z)')
"""One field and its delimiter. Group 1 is empty for a quoted field that does not end, absent for one without quotes."""
_BROKEN: Final = b"?\n"
"""One field, where every heading has more."""
_QUOTE: Final = b'"'


class SafeLines(io.RawIOBase):
    """A file from where it stands on, with such lines replaced. `columns`: of a whole record, at least 2."""

    def __init__(self, file: BinaryIO, columns: int) -> None:
        self._file, self._columns = file, columns
        self._pieces, self._rest = self._records(), b""
        self._row = 0
        self._spans: list[tuple[int, int]] = []

    def numbered(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The line of the file, from 1, at which each row begins. `rows`: numbers from 1, of rows already read."""
        starts = np.array([row for row, _ in self._spans], np.int64)
        further = np.cumsum([0, *(lines for _, lines in self._spans)])
        lines: NDArray[np.int64] = rows + further[np.searchsorted(starts, rows)]
        return lines

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        filled, room = 0, len(target)
        while filled < room:
            if not self._rest:
                self._rest = next(self._pieces, b"")
                if not self._rest:
                    break
            part = self._rest[: room - filled]
            target[filled : filled + len(part)] = part
            self._rest = self._rest[len(part) :]
            filled += len(part)
        return filled

    def _records(self) -> Iterator[bytes]:
        ahead: deque[bytes] = deque()
        blocks = self._blocks()
        while piece := ahead.popleft() if ahead else next(blocks, b""):
            if b"\n" in piece[:-1]:
                self._row += piece.count(b"\n")
                yield piece
                continue
            self._row += 1
            if _QUOTE not in piece or b"\r" in _content(piece):
                yield piece if self._is_sound(_content(piece)) else _BROKEN
                continue
            further = 0 if (found := _columns(piece)) else _further(piece, ahead, blocks, self._columns)
            if further:
                self._spans.append((self._row, further))
                yield b"".join([piece, *(ahead.popleft() for _ in range(further))])
            else:
                yield piece if found == self._columns else _BROKEN

    def _blocks(self) -> Iterator[bytes]:
        """Lines one by one where one of them must be looked at, else as many as were read at once. An endless line
        becomes a record whose first field is too long."""
        while block := self._file.read(_BLOCK_BYTES):
            rest = self._file.readline(_BLOCK_BYTES)
            block += rest
            if len(rest) == _BLOCK_BYTES and not rest.endswith(b"\n"):
                self._skip_line()
                too_long = b"x" * (4 * MAX_TEXT_CHARACTERS + 1) + b"," * (self._columns - 1) + b"\n"
                block = block[: block.rfind(b"\n") + 1] + too_long
            if _QUOTE in block or block.count(b"\r") != block.count(b"\r\n") or not _is_utf8(block):
                yield from io.BytesIO(block)
            else:
                yield block

    def _is_sound(self, content: bytes) -> bool:
        """Of a line to be taken as it is. A carriage return inside would end it for the reader, and shift the
        numbers of all that follow."""
        return not content or (b"\r" not in content and content.count(b",") == self._columns - 1)

    def _skip_line(self) -> None:
        while (rest := self._file.readline(_BLOCK_BYTES)) and not rest.endswith(b"\n"):
            pass


def _content(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _is_utf8(block: bytes) -> bool:
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _columns(record: bytes) -> int:
    """How many fields a record has; 0 when the last one is quoted and does not end."""
    found = 1
    for field in _FIELD.finditer(_content(record)):
        if field.group(1) == b"":
            return 0
        found += field.group().endswith(b",")
    return found


def _further(line: bytes, ahead: deque[bytes], blocks: Iterator[bytes], columns: int) -> int:
    """How many further lines the record has that begins with `line`, which are put into `ahead`; 0 when what looks like
    its end is not believed."""
    record = line
    for count in range(_MAX_SPAN):
        if count == len(ahead):
            following = next(blocks, b"")
            if not following:
                return 0
            ahead.append(following)
        if ahead[count].count(b",") >= columns - 1 or b"\r" in _content(ahead[count]):
            return 0
        record += ahead[count]
        if len(record) > _BLOCK_BYTES:
            return 0
        if found := _columns(record):
            return count + 1 if found == columns else 0
    return 0
