"""What a snapshot was made of, enterprise by enterprise, so that the next one computes only what changed.

A print is a salted 64-bit hash over an enterprise's usable records of one category. It lies in the snapshot's folder,
beside the cells, and is as protected as they are. Two sets of records share a print by chance once in 2^64; the salt is
drawn anew for each full build, so that nobody can prepare such a set.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import duckdb
import ibis
import numpy as np
from numpy.typing import NDArray

import enclave.features
import enclave.records
from enclave.features.tables import Tables
from enclave.features.values import codes_of
from enclave.records.engine import Engine

_FILE: Final = "prints.npz"
_HEAD: Final = "made_with"


@dataclass(frozen=True, slots=True, eq=False)
class Prints:
    """Of one snapshot."""

    made_with: str
    """Code, engine and catalogue that made the cells; prints of others say nothing."""
    salt: int
    of: Mapping[str, tuple[NDArray[np.bytes_], NDArray[np.int64]]]
    """Category code to sorted enterprises and their prints."""

    def changed(self, before: "Prints", category: str) -> NDArray[np.bytes_]:
        """Enterprises whose records of a category are not what they were, those that came or went among them."""
        codes, now = self.of[category]
        old_codes, old = before.of[category]
        both, at, old_at = np.intersect1d(codes, old_codes, assume_unique=True, return_indices=True)
        alike = both[now[at] == old[old_at]]
        return np.setdiff1d(np.union1d(codes, old_codes), alike, assume_unique=True)

    def save(self, folder: Path) -> None:
        """Into a snapshot's folder. A reader sees all of it or nothing."""
        arrays = {_HEAD: np.array([self.made_with, str(self.salt)])}
        for category, (codes, prints) in self.of.items():
            arrays[f"{category}.codes"], arrays[f"{category}.prints"] = codes, prints
        partial = folder / f".{_FILE}"
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        partial.replace(folder / _FILE)

    @classmethod
    def load(cls, folder: Path) -> "Prints | None":
        """None where a snapshot has none, or none that can be read: then everything is computed."""
        try:
            with (folder / _FILE).open("rb") as file, np.load(file, allow_pickle=False) as found:
                made_with, salt = found[_HEAD]
                categories = [name.removesuffix(".codes") for name in found.files if name.endswith(".codes")]
                of = {name: (found[f"{name}.codes"], found[f"{name}.prints"]) for name in categories}
        except (OSError, ValueError, KeyError, BadZipFile):
            return None
        return cls(str(made_with), int(salt), of)


def take_prints(engine: Engine, tables: Tables, made_with: str, salt: int | None) -> Prints:
    """One pass over every category."""
    salt = secrets.randbits(62) if salt is None else salt
    of = {}
    for category, table in tables.records.tables.items():
        row = engine.hash64([ibis.literal(salt, "int64"), *(table[name] for name in sorted(table.columns))])
        # Rows of one category are distinct, so none cancels another; the count tells one row from none.
        taken = table.group_by("uscc").agg(print=row.bit_xor(), rows=table.count())
        found = engine.fetch(taken)
        codes = codes_of(found)
        order = np.argsort(codes)
        prints = found["print"].to_numpy().astype(np.int64) ^ found["rows"].to_numpy()
        of[category] = (codes[order], prints[order])
    return Prints(made_with, salt, of)


@cache
def _code_digest() -> str:
    digest = hashlib.sha256(duckdb.__version__.encode() + ibis.__version__.encode())
    for folder in (*enclave.features.__path__, *enclave.records.__path__):
        for path in sorted(Path(folder).glob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def made_with(catalogue_digest: str) -> str:
    """Changes with the catalogue, the rules of the features and the engine."""
    return f"{catalogue_digest} {_code_digest()}"
