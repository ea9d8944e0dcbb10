"""Certificate and key are read from files, checked before anything is sent, and never shown."""

import pickle
from pathlib import Path
from typing import Any

import pytest
from xinyidai.identity import Role

from bank_sdk import BankCredentials, CredentialsError
from tests.support.certificates import make_authority

BANKS_CA, ENCLAVES_CA = make_authority("Banks CA"), make_authority("Enclaves CA")
LEAF = BANKS_CA.issue(Role.BANK, "bank-a")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    LEAF.write(tmp_path / "bank.pem", tmp_path / "bank.key")
    (tmp_path / "ca.pem").write_bytes(BANKS_CA.pem)
    (tmp_path / "enclave-ca.pem").write_bytes(ENCLAVES_CA.pem)
    return {
        "certificate": tmp_path / "bank.pem",
        "key": tmp_path / "bank.key",
        "service_ca": tmp_path / "ca.pem",
        "enclave_ca": str(tmp_path / "enclave-ca.pem"),
    }


def test_the_certificate_says_which_bank_it_is(files: dict[str, Any]) -> None:
    credentials = BankCredentials.from_files(**files)
    assert (credentials.bank, credentials.certificate_thumbprint) == ("bank-a", LEAF.thumbprint)


def test_a_key_under_a_passphrase(files: dict[str, Any]) -> None:
    files["key"].write_bytes(LEAF.signing_key().to_encrypted_pem(b"secret"))
    assert BankCredentials.from_files(**files, passphrase="secret").bank == "bank-a"
    for wrong in (None, "wrong"):
        with pytest.raises(CredentialsError):
            BankCredentials.from_files(**files, passphrase=wrong)


def test_they_cannot_be_printed_or_pickled(files: dict[str, Any]) -> None:
    credentials = BankCredentials.from_files(**files)
    assert repr(credentials) == "BankCredentials(bank-a, **redacted**)"
    with pytest.raises(TypeError):
        pickle.dumps(credentials)


def test_a_key_others_may_read_is_refused(files: dict[str, Any]) -> None:
    files["key"].chmod(0o644)
    with pytest.raises(CredentialsError, match="others may access"):
        BankCredentials.from_files(**files)


def test_files_must_belong_together(files: dict[str, Any]) -> None:
    for other in (BANKS_CA.issue(Role.BANK, "bank-a"), BANKS_CA.issue(Role.ENCLAVE, "bank-a", key=LEAF.key)):
        files["certificate"].write_bytes(other.chain_pem)
        with pytest.raises(CredentialsError):
            BankCredentials.from_files(**files)


@pytest.mark.parametrize("name", ["certificate", "key", "service_ca", "enclave_ca"])
@pytest.mark.parametrize("content", [None, b"", b"x" * 100, b"x" * 100_000])
def test_anything_else_in_a_file_is_refused(files: dict[str, Any], name: str, content: bytes | None) -> None:
    path = Path(files[name])
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(CredentialsError):
        BankCredentials.from_files(**files)
