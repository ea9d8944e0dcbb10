"""What a snapshot was made of, noted beside it, so that its lineage is worked out on the same records."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from xinyidai.files import write_whole

from enclave.environment import Environment
from enclave.records.reader import Source
from enclave.records.vault import Vault, VaultError

_FILE: Final = "origin.json"


class OriginGone(ValueError):
    """The records a snapshot was made of are no longer there."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A folder of plain files, or the vault at one version: exactly one is set."""

    folder: str | None
    version: int | None

    @classmethod
    def of(cls, source: Source) -> "Origin":
        return cls(str(source.resolve()), None) if isinstance(source, Path) else cls(None, source.version)

    def open(self, vault: Path, environment: Environment) -> Source:
        """Raises `OriginGone`."""
        if self.folder is not None:
            if not Path(self.folder).is_dir():
                raise OriginGone("the folder of records is gone; load again")
            return Path(self.folder)
        try:
            return Vault(vault, environment).snapshot(self.version)
        except VaultError as error:
            raise OriginGone("the vault no longer has this version; load again") from error


def write_origin(snapshots: Path, snapshot_id: str, origin: Origin) -> None:
    note = {"folder": origin.folder, "version": origin.version}
    write_whole(snapshots / snapshot_id / _FILE, json.dumps(note).encode())


def read_origin(snapshots: Path, snapshot_id: str) -> Origin:
    """Raises `OriginGone` for a snapshot without a note of its records."""
    try:
        found: dict[str, Any] = json.loads((snapshots / snapshot_id / _FILE).read_text())
        return Origin(found["folder"], found["version"])
    except (OSError, ValueError, KeyError) as error:
        raise OriginGone("the snapshot does not say what it was made of; load again") from error
