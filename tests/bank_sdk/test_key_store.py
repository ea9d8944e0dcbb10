"""Keys are on disk only encrypted, come back exactly, and never leave by accident."""

import copy
import json
import os
import pickle
import stat
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from xinyidai.framing import AnswerCiphertext
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.seal import SecretKey

from bank_sdk import KeyStore, KeyStoreError
from bank_sdk.keys import StoredModel
from tests.bank_sdk.materials import scorecard

PASSPHRASE: Final = "correct horse"
MODEL: Final = "ab" * 32
SEEDS: Final = (b"\x01" * 64, b"\x02" * 64)


def _model(**changes: object) -> StoredModel:
    card = scorecard()
    stored = StoredModel(
        model_id=MODEL,
        name="a very telling name",
        scorecard_digest=card.digest,
        catalogue=card.catalogue.reference,
        catalogue_digest=card.catalogue.digest,
        registered_at=1_790_000_000,
        receipt="header.payload.signature",
        base_points=card.base_points,
        categories=card.category_ranges,
        secret_key=SecretKey.generate(LINEAR_4096_T1024),
    )
    return replace(stored, **changes)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def store(folder: Path) -> KeyStore:
    return KeyStore(folder, PASSPHRASE)


def test_a_model_comes_back_as_it_was_kept(store: KeyStore, folder: Path) -> None:
    kept = _model()
    store.save(kept)
    loaded = KeyStore(folder, PASSPHRASE).load(MODEL)
    assert replace(loaded, secret_key=kept.secret_key) == kept
    generator = np.random.default_rng(1)
    answer = AnswerCiphertext(
        LINEAR_4096_T1024, 12345, generator.integers(0, LINEAR_4096_T1024.primes[0], 4096, dtype=np.uint64)
    )
    assert loaded.secret_key.decrypt_coefficient(answer) == kept.secret_key.decrypt_coefficient(answer)


def test_models_are_listed_replaced_and_discarded(store: KeyStore) -> None:
    store.save(_model(registered_at=None, receipt=""))
    assert store.load(MODEL).registered_at is None
    store.save(_model(name="renamed"))
    assert store.models() == (MODEL,) and store.load(MODEL).name == "renamed"
    store.discard(MODEL)
    assert store.models() == ()
    with pytest.raises(KeyStoreError, match="no key for that model"):
        store.load(MODEL)


def test_a_wrong_passphrase_is_told_from_damage(store: KeyStore, folder: Path) -> None:
    with pytest.raises(KeyStoreError, match="passphrase is not that of"):
        KeyStore(folder, "incorrect horse")
    with pytest.raises(KeyStoreError, match="empty"):
        KeyStore(folder, "")
    raw = (folder / "store.json").read_bytes()
    (folder / "store.json").write_bytes(raw.replace(b'"n": 32768', b'"n": 16384'))
    with pytest.raises(KeyStoreError, match="damaged"):
        KeyStore(folder, PASSPHRASE)


@pytest.mark.parametrize("name", [f"{MODEL}.key", "seeds"])
def test_a_damaged_byte_anywhere_is_found(store: KeyStore, folder: Path, name: str) -> None:
    store.save(_model())
    store.claim_seeds(SEEDS)
    raw = bytearray((folder / name).read_bytes())
    places = range(len(raw)) if len(raw) < 400 else [*range(40), *range(40, len(raw), 17), len(raw) - 1]
    for place in places:
        damaged = bytearray(raw)
        damaged[place] ^= 0x10
        (folder / name).write_bytes(damaged)
        with pytest.raises(KeyStoreError, match="damaged"):
            store.load(MODEL) if name != "seeds" else store.claim_seeds([b"\x03" * 64])
    for length in (0, 5, 17, len(raw) - 1):
        (folder / name).write_bytes(raw[:length])
        with pytest.raises(KeyStoreError, match="damaged"):
            store.load(MODEL) if name != "seeds" else store.claim_seeds([b"\x03" * 64])


def test_a_damaged_byte_in_the_header_is_found(store: KeyStore, folder: Path) -> None:
    raw = bytearray((folder / "store.json").read_bytes())
    for place in range(len(raw)):
        damaged = bytearray(raw)
        damaged[place] ^= 0x10
        (folder / "store.json").write_bytes(damaged)
        with pytest.raises(KeyStoreError, match="damaged"):
            KeyStore(folder, PASSPHRASE)


def test_a_key_file_is_bound_to_its_model(store: KeyStore, folder: Path) -> None:
    store.save(_model())
    other = "cd" * 32
    (folder / f"{MODEL}.key").rename(folder / f"{other}.key")
    with pytest.raises(KeyStoreError, match="damaged, or belongs to another"):
        store.load(other)


def test_a_lost_header_is_not_silently_replaced(store: KeyStore, folder: Path) -> None:
    store.save(_model())
    (folder / "store.json").unlink()
    with pytest.raises(KeyStoreError, match=r"store\.json is gone"):
        KeyStore(folder, PASSPHRASE)


@pytest.mark.parametrize("identity", ["", "../" + "a" * 61, "AB" * 32, "a" * 63])
def test_a_model_id_is_never_a_path(store: KeyStore, identity: str) -> None:
    with pytest.raises(KeyStoreError, match="64 hexadecimal digits"):
        store.load(identity)


def test_files_are_for_the_owner_alone(store: KeyStore, folder: Path) -> None:
    store.save(_model())
    store.claim_seeds(SEEDS)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert sorted(path.name for path in folder.iterdir()) == [f"{MODEL}.key", "lock", "seeds", "store.json"]


@pytest.mark.parametrize("name", ["", f"{MODEL}.key", "store.json", "seeds"])
def test_loose_permissions_are_refused(store: KeyStore, folder: Path, name: str) -> None:
    store.save(_model())
    store.claim_seeds(SEEDS)
    (folder / name).chmod(0o755 if not name else 0o640)
    with pytest.raises(KeyStoreError, match="others may access"):
        opened = KeyStore(folder, PASSPHRASE)
        opened.load(MODEL)
        opened.claim_seeds([b"\x03" * 64])


def test_nothing_of_a_model_is_on_disk_in_the_clear(store: KeyStore, folder: Path) -> None:
    kept = _model()
    store.save(kept)
    store.claim_seeds(SEEDS)
    everything = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    secret = kept.secret_key.export_for_storage()
    for needle in (secret[:16], secret[-16:], b"telling", b"registry", kept.scorecard_digest.encode(), SEEDS[0]):
        assert needle not in everything
    store.save(kept)
    assert b"".join(path.read_bytes() for path in sorted(folder.iterdir())) != everything, "every nonce is fresh"


def test_a_seed_is_used_once(store: KeyStore, folder: Path) -> None:
    store.claim_seeds(SEEDS)
    again = KeyStore(folder, PASSPHRASE)
    for seeds in ([SEEDS[1]], [b"\x03" * 64, SEEDS[0]], [b"\x04" * 64] * 2):
        with pytest.raises(KeyStoreError, match="came twice"):
            again.claim_seeds(seeds)
    again.claim_seeds([b"\x03" * 64, b"\x04" * 64])


def test_handles_cannot_be_printed_or_pickled(store: KeyStore) -> None:
    model = _model(base_points=987_654)
    for handle in (store, model, model.secret_key):
        with pytest.raises(TypeError):
            pickle.dumps(handle)
        with pytest.raises(TypeError):
            copy.deepcopy(handle)
        shown = f"{handle} {handle!r}"
        assert PASSPHRASE not in shown and "987654" not in shown and "offset" not in shown
    with pytest.raises(TypeError):
        json.dumps(model.secret_key)


def test_an_interrupted_write_leaves_the_old_file(
    store: KeyStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(_model(name="old"))

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(KeyStoreError, match="No space left"):
        store.save(_model(name="new"))
    assert store.load(MODEL).name == "old"
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
