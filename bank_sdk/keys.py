"""The key store: for each model its secret key and what is needed to read its answers, encrypted under a passphrase.

A folder (0700) with files (0600):

    store.json        scrypt parameters and salt, a check value, and the SHA-256 of these
    <model id>.key    "XYDK", version, 12-byte nonce, AES-256-GCM of metadata and secret key; AAD: version and file name
    seeds             likewise: SHA-256 of every seed this bank ever encrypted under, so that none is used twice
    reader          likewise: the key that white lists and alerts are sealed to
    numbers         likewise: how far their numbers have come, so that an older one is noticed

Nothing of a model is on disk in the clear except its id, which the service knows too. Not guaranteed: protection while
the process runs, or against restoring an older copy of the folder (which would forget seeds; a fresh seed is random all
the same, and the enclave refuses one it has seen).
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from xinyidai.confidential import OpeningKey
from xinyidai.files import LooseFile, refuse_loose, sync_folder, write_whole
from xinyidai.parameters import PARAMETER_SETS
from xinyidai.seal import SealError, SecretKey
from xinyidai.signing import Claims, DocumentMalformed

from bank_sdk.errors import KeyStoreError
from bank_sdk.models.scorecard import CategoryRange

VERSION: Final = 1
_MAGIC: Final = b"XYDK" + bytes((VERSION,))
_NONCE_BYTES: Final = 12
_DIGEST_BYTES: Final = 32
_SCRYPT: Final = {"n": 1 << 15, "r": 8, "p": 1}
_CHECK: Final = b"xinyidai key store"
_MODEL_ID: Final = re.compile(r"[0-9a-f]{64}")
_MAX_FILE_BYTES: Final = 64 * 1024 * 1024
_BOUND: Final = 1 << 60


@dataclass(frozen=True, slots=True)
class StoredModel:
    """One model, ready to read answers. Points and offsets are the bank's secret: printing shows none."""

    model_id: str
    name: str
    scorecard_digest: str
    catalogue: str
    catalogue_digest: str
    registered_at: int | None
    """Seconds since 1970-01-01 UTC; None until the enclave's receipt was verified."""
    receipt: str = field(repr=False)
    """The enclave's model receipt; empty until then."""
    base_points: int = field(repr=False)
    categories: Mapping[str, CategoryRange] = field(repr=False)
    secret_key: SecretKey = field(repr=False)


class KeyStore:
    """Opens or creates the store in `folder`; one passphrase for all of it. It cannot be pickled.

    Raises `KeyStoreError` for a wrong passphrase, damaged files, and files others may touch.
    """

    __slots__ = ("_cipher", "_folder")

    def __init__(self, folder: str | Path, passphrase: str | bytes) -> None:
        secret = passphrase.encode() if isinstance(passphrase, str) else passphrase
        if not secret:
            raise KeyStoreError("the passphrase is empty")
        self._folder = Path(folder)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_loose(self._folder)
        except OSError as error:
            raise _unreadable(self._folder, error) from error
        with self._locked():
            if not (self._folder / "store.json").exists():
                self._create(secret)
            self._cipher = self._open(secret)

    def save(self, model: StoredModel) -> None:
        """Write or replace one model, durably."""
        document = {
            "name": model.name,
            "scorecard": model.scorecard_digest,
            "catalogue": model.catalogue,
            "catalogue_digest": model.catalogue_digest,
            "parameter_set": model.secret_key.parameters.name,
            "registered_at": model.registered_at if model.registered_at is not None else 0,
            "receipt": model.receipt,
            "base_points": model.base_points,
            "categories": [
                {"category": code, "offset": entry.offset, "span": entry.span, "withheld": entry.withheld}
                for code, entry in model.categories.items()
            ],
        }
        head = json.dumps(document, sort_keys=True, ensure_ascii=False).encode()
        plain = len(head).to_bytes(4, "big") + head + model.secret_key.export_for_storage()
        self._write(self._path(model.model_id), plain)

    def load(self, model_id: str) -> StoredModel:
        """Raises `KeyStoreError` when this store has no key for the model."""
        path = self._path(model_id)
        if not path.exists():
            raise KeyStoreError(
                "this store has no key for that model; open the store of the machine that registered it"
            )
        plain = self._read(path)
        length = int.from_bytes(plain[:4], "big")
        try:
            return _stored_model(model_id, Claims(json.loads(plain[4 : 4 + length])), plain[4 + length :])
        except (ValueError, TypeError, KeyError, SealError) as error:
            raise KeyStoreError(f"{path.name} was written by another version of the SDK") from error

    def models(self) -> tuple[str, ...]:
        """Ids of the models with a key in this store, sorted."""
        return tuple(sorted(path.stem for path in self._folder.glob("*.key") if _MODEL_ID.fullmatch(path.stem)))

    def discard(self, model_id: str) -> None:
        """Remove a model's key for good: no answer for it can be read any more."""
        self._path(model_id).unlink(missing_ok=True)
        sync_folder(self._folder)

    def claim_seeds(self, seeds: Sequence[bytes]) -> None:
        """Record the seeds of new ciphertexts. Raises `KeyStoreError` if any was used before: the generator is broken,
        and sending the ciphertext would reveal points."""
        new = [hashlib.sha256(seed).digest() for seed in seeds]
        with self._locked():
            path = self._folder / "seeds"
            known = self._read(path) if path.exists() else b""
            used = {known[at : at + _DIGEST_BYTES] for at in range(0, len(known), _DIGEST_BYTES)}
            if len(set(new)) != len(new) or not used.isdisjoint(new):
                raise KeyStoreError("an encryption seed came twice; the random generator of this machine is broken")
            self._write(path, known + b"".join(new))

    def reader(self) -> OpeningKey:
        """The key that lists and alerts are sealed to; made on first use."""
        path = self._folder / "reader"
        with self._locked():
            if not path.exists():
                self._write(path, OpeningKey.generate().to_der())
        try:
            return OpeningKey.from_der(self._read(path))
        except ValueError as error:
            raise KeyStoreError("reader was written by another version of the SDK") from error

    def take_number(self, name: str, number: int) -> int:
        """Remember the highest number under `name`; returns the highest before, 0 if there was none."""
        path = self._folder / "numbers"
        with self._locked():
            try:
                known = Claims(json.loads(self._read(path)) if path.exists() else {})
                newest = known.integer(name, 0, _BOUND) if name in known.members else 0
            except ValueError as error:
                raise KeyStoreError("numbers was written by another version of the SDK") from error
            if number > newest:
                self._write(path, json.dumps({**known.members, name: number}).encode())
            return newest

    def _path(self, model_id: str) -> Path:
        if not _MODEL_ID.fullmatch(model_id):
            raise KeyStoreError("a model id is 64 hexadecimal digits")
        return self._folder / f"{model_id}.key"

    def _write(self, path: Path, plain: bytes) -> None:
        nonce = os.urandom(_NONCE_BYTES)
        try:
            write_whole(path, _MAGIC + nonce + self._cipher.encrypt(nonce, plain, _bound_to(path)))
        except OSError as error:
            raise _unreadable(path, error) from error

    def _read(self, path: Path) -> bytes:
        raw = _read_file(path)
        body = raw[len(_MAGIC) :]
        try:
            if not raw.startswith(_MAGIC):
                raise InvalidTag
            return self._cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], _bound_to(path))
        except (InvalidTag, ValueError) as error:
            raise KeyStoreError(f"{path.name} is damaged, or belongs to another store or model") from error

    def _create(self, passphrase: bytes) -> None:
        if any(self._folder.glob("*.key")):
            raise KeyStoreError("store.json is gone while there are keys; restore it from the backup")
        settings = {"version": VERSION, **_SCRYPT, "salt": os.urandom(16).hex()}
        nonce = os.urandom(_NONCE_BYTES)
        check = nonce + _derive(settings, passphrase).encrypt(nonce, _CHECK, b"check")
        document = {**settings, "check": check.hex()}
        write_whole(self._folder / "store.json", json.dumps({**document, "sha256": _checksum(document)}).encode())

    def _open(self, passphrase: bytes) -> AESGCM:
        """The checksum tells a damaged file from a wrong passphrase; it protects nothing."""
        raw = _read_file(self._folder / "store.json")
        try:
            document = json.loads(raw)
            checksum = document.pop("sha256")
            if json.dumps({**document, "sha256": checksum}).encode() != raw or checksum != _checksum(document):
                raise ValueError
            check = bytes.fromhex(document["check"])
            if document["version"] != VERSION or {name: document[name] for name in _SCRYPT} != _SCRYPT:
                raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise KeyStoreError("store.json is damaged; restore it from the backup") from error
        cipher = _derive(document, passphrase)
        try:
            cipher.decrypt(check[:_NONCE_BYTES], check[_NONCE_BYTES:], b"check")
        except (InvalidTag, ValueError) as error:
            raise KeyStoreError(
                f"the passphrase is not that of {self._folder}; use another folder for a new store"
            ) from error
        return cipher

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time may create the store or claim seeds."""
        try:
            handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unreadable(self._folder, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def __repr__(self) -> str:
        return f"KeyStore({str(self._folder)!r}, **redacted**)"

    def __reduce__(self) -> Any:
        raise TypeError("a key store cannot be pickled; open it where it is needed")


def _derive(settings: Mapping[str, Any], passphrase: bytes) -> AESGCM:
    salt = bytes.fromhex(settings["salt"])
    key = Scrypt(salt=salt, length=32, n=_SCRYPT["n"], r=_SCRYPT["r"], p=_SCRYPT["p"]).derive(passphrase)
    return AESGCM(key)


def _checksum(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _bound_to(path: Path) -> bytes:
    return f"xinyidai-key-store/{VERSION}/{path.name}".encode()


def _read_file(path: Path) -> bytes:
    try:
        refuse_loose(path)
        with path.open("rb") as file:
            raw = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(raw) > _MAX_FILE_BYTES:
        raise KeyStoreError(f"{path.name} is damaged: it is larger than {_MAX_FILE_BYTES} bytes")
    return raw


def _unreadable(path: Path, error: OSError) -> KeyStoreError:
    if isinstance(error, LooseFile):
        return KeyStoreError(str(error))
    return KeyStoreError(f"{path.name} cannot be read or written: {error.strerror}")


def _stored_model(model_id: str, claims: Claims, raw_key: bytes) -> StoredModel:
    categories = {}
    for entry in claims.objects("categories", most=256):
        numbers = (entry.integer(name, -_BOUND, _BOUND) for name in ("offset", "span", "withheld"))
        categories[entry.text("category")] = CategoryRange(*numbers)
    receipt = claims.members.get("receipt")
    if not isinstance(receipt, str):
        raise DocumentMalformed("member receipt must be a text")
    return StoredModel(
        model_id=model_id,
        name=claims.text("name"),
        scorecard_digest=claims.text("scorecard"),
        catalogue=claims.text("catalogue"),
        catalogue_digest=claims.text("catalogue_digest"),
        registered_at=claims.instant("registered_at") or None,
        receipt=receipt,
        base_points=claims.integer("base_points", -_BOUND, _BOUND),
        categories=categories,
        secret_key=SecretKey.from_storage(PARAMETER_SETS[claims.text("parameter_set")], raw_key),
    )
