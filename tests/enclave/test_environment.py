"""What the enclave takes from its machine: sealing, locked memory, files nobody else may touch, settings."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from enclave.environment import EnclaveEnvironmentError, LockedBytes, SoftwareEnvironment, refuse_loose
from enclave.hardening import leave_network
from enclave.settings import load_settings

SECRET = b"thirty-two bytes of mask key ..."


def key_file(folder: Path, raw: bytes = bytes(range(32)), mode: int = 0o600) -> Path:
    path = folder / "sealing.key"
    path.touch(mode=0o600)
    path.write_bytes(raw)
    path.chmod(mode)
    return path


@pytest.fixture
def environment(tmp_path: Path) -> SoftwareEnvironment:
    return SoftwareEnvironment(key_file(tmp_path))


def test_what_is_sealed_opens_again_under_its_label(environment: SoftwareEnvironment) -> None:
    sealed = environment.seal("epoch 1", SECRET)
    assert environment.unseal("epoch 1", sealed).reveal() == SECRET
    assert SECRET not in sealed
    assert environment.seal("epoch 1", SECRET) != sealed, "a fresh nonce each time"


def test_what_is_sealed_opens_nowhere_else(environment: SoftwareEnvironment, tmp_path: Path) -> None:
    sealed = environment.seal("epoch 1", SECRET)
    with pytest.raises(EnclaveEnvironmentError):
        environment.unseal("epoch 2", sealed)
    (tmp_path / "other").mkdir()
    other = SoftwareEnvironment(key_file(tmp_path / "other", bytes(32)))
    with pytest.raises(EnclaveEnvironmentError):
        other.unseal("epoch 1", sealed)


def test_nothing_changed_or_cut_off_opens(environment: SoftwareEnvironment) -> None:
    sealed = environment.seal("epoch 1", SECRET)

    @given(st.integers(0, len(sealed) - 1), st.integers(1, 255))
    def changed(at: int, flip: int) -> None:
        damaged = sealed[:at] + bytes([sealed[at] ^ flip]) + sealed[at + 1 :]
        for raw in (damaged, sealed[:at]):
            with pytest.raises(EnclaveEnvironmentError):
                environment.unseal("epoch 1", raw)

    changed()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o777])
def test_a_sealing_key_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(EnclaveEnvironmentError, match="chmod"):
        SoftwareEnvironment(key_file(tmp_path, mode=mode))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_sealing_key_of_another_length_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(EnclaveEnvironmentError, match="32"):
        SoftwareEnvironment(key_file(tmp_path, bytes(length)))


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(EnclaveEnvironmentError, match="cannot be read"):
        refuse_loose(tmp_path / "nothing")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    os.chown(path, 12345, -1)
    with pytest.raises(EnclaveEnvironmentError):
        refuse_loose(path)


def test_locked_bytes_neither_print_nor_pickle_and_are_wiped() -> None:
    locked = LockedBytes(SECRET)
    assert SECRET.decode() not in repr(locked) + str(locked)
    with pytest.raises(TypeError):
        pickle.dumps(locked)
    locked.wipe()
    assert locked.reveal() == bytes(len(SECRET))


def test_locked_bytes_are_locked() -> None:
    """VmLck of the process grows by the page the secret is on."""

    def locked_kib() -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmLck"))

    before = locked_kib()
    kept = LockedBytes(SECRET)
    assert locked_kib() > before
    assert kept.reveal() == SECRET


def test_a_hardened_process_leaves_no_core_and_writes_for_itself_alone(tmp_path: Path) -> None:
    """In a process of its own, since hardening cannot be undone."""
    program = (
        "import ctypes, os, resource, sys\n"
        "from enclave.hardening import harden\n"
        "harden()\n"
        "open(sys.argv[1], 'w').close()\n"
        "prctl = ctypes.CDLL(None).prctl\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), prctl(3, 0, 0, 0, 0), prctl(39, 0, 0, 0, 0))\n"
    )
    path = tmp_path / "written"
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "(0, 0) 0 1"
    assert path.stat().st_mode & 0o077 == 0


def test_network_isolation_that_is_off_changes_nothing() -> None:
    assert leave_network("off") is False


SETTINGS = """
enclave_id = "enclave-a"
listen = "unix:run/enclave.sock"
data_dir = "data"
sealing_key = "sealing.key"
receipt_certificate = "receipt.pem"
receipt_key = "receipt.key"
tls_certificate = "tls.pem"
tls_key = "tls.key"
banks_ca = "banks.pem"
registrar_ca = "registrar.pem"
platform_ca = "platform.pem"
"""


def test_settings_are_relative_to_their_file(tmp_path: Path) -> None:
    path = tmp_path / "enclave.toml"
    path.write_text(SETTINGS)
    settings = load_settings(path)
    assert settings.data_dir == tmp_path / "data"
    assert settings.listen == f"unix:{tmp_path}/run/enclave.sock"
    assert (settings.budget_bank_bits, settings.budget_total_bits, settings.catalogue) == (32, 128, "builtin")
    with pytest.raises(ValidationError):
        settings.workers = 3


@pytest.mark.parametrize(
    "line",
    ["budget_bnak_bits = 64", "workers = -1", 'isolate_network = "maybe"', "budget_bank_bits = 1001", "["],
)
def test_wrong_settings_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "enclave.toml"
    path.write_text(SETTINGS + line + "\n")
    with pytest.raises(ValueError):
        load_settings(path)


def test_an_enclave_has_a_proper_name(tmp_path: Path) -> None:
    path = tmp_path / "enclave.toml"
    path.write_text(SETTINGS.replace("enclave-a", "Enclave A"))
    with pytest.raises(ValueError, match="enclave id"):
        load_settings(path)
