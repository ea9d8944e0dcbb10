"""What stands in another process's memory, and in files."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

_STEP: Final = 16 * 1024 * 1024


def found_in_memory(pid: int, needles: Sequence[bytes]) -> set[bytes]:
    """Which of `needles` stand in readable memory now. Needs the right to trace the process: its parent's, root's."""
    found: set[bytes] = set()
    overlap = max(map(len, needles)) - 1
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *rest = line.split()
            if not rights.startswith("r") or rest[-1] in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            for at in range(start, end, _STEP):
                try:
                    memory.seek(at)
                    piece = memory.read(min(_STEP + overlap, end - at))
                except (OSError, OverflowError):
                    break  # unmapped meanwhile, or a device
                found |= {needle for needle in needles if needle in piece}
    return found


def found_in_files(paths: Iterable[Path], needles: Sequence[bytes]) -> set[bytes]:
    return {needle for path in paths if path.is_file() for needle in needles if needle in path.read_bytes()}
