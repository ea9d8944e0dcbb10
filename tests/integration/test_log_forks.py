"""A log that was changed, or is not sealed: who notices, and what still works. With the real enclave and platform."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xinyidai.merkle import ProofInvalid
from xinyidai.reasons import Reason
from xinyidai.statements import Action
from xinyidai.transparency import LogForked, LogStale, verify_checkpoint

from clients.dev.deployment import ENCLAVE_ID
from clients.wallet import WalletError
from clients.wallet.platform import Platform
from clients.witness import Witness
from tests.support.bare import BareEnclave
from tests.support.log import SEALING, anchors, size_of_log, until, witness_key
from tests.support.parties import Refusal, random_points, uscc_number
from tests.support.platform import PlatformUnderTest
from tests.support.running import new_wallet

_BIN = Path(sys.executable).parent


def test_a_witness_catches_a_log_that_was_rolled_back_and_forked(bare_folder: Path, tmp_path: Path) -> None:
    """The data holder restores an older database and goes on: for the enclave itself that looks right."""
    # A quiet log is sealed anew after a third of the limit.
    bare = BareEnclave(bare_folder, settings={**SEALING, "seal_limit_seconds": 3})
    platform = PlatformUnderTest(bare)
    bare.system.rest_url = platform.rest_url
    folder = bare.deployment.issue_witness("witness-a")
    (folder / "state").mkdir(mode=0o700)
    roots, _ = anchors(platform)
    connection = Platform(platform.rest_url, bare.deployment.anchor("platform"))
    witness = Witness(folder / "state", connection, ENCLAVE_ID, roots, witness_key(platform))
    copy = tmp_path / "authority.sqlite"
    database = bare.deployment.root / "enclave" / "data" / "authority.sqlite"
    enterprise = platform.enterprise(5)
    try:
        wallet = new_wallet(bare.system, tmp_path / "w", uscc_number(6))
        wallet.set_budget(3)
        bare.system.enclave.stop()
        shutil.copy(database, copy)
        _restart(platform)
        for bits in (4, 5):
            wallet.set_budget(bits)
        until(lambda: witness.observe().size >= 3)
        wallet.usage()
        bare.system.enclave.stop()
        shutil.copy(copy, database)
        _restart(platform)
        with pytest.raises(LogForked, match="cut from 3 to 1"):
            until(lambda: _observed(witness))
        with pytest.raises(WalletError, match="tell the data holder"):
            wallet.usage()
        evidence = json.loads((folder / "state" / "evidence.json").read_text())
        old, new = (verify_checkpoint(raw, roots) for raw in evidence["checkpoints"])
        assert (old.size, new.size) == (3, 1) and new.sealed_at > old.sealed_at
        done = witness_program(platform, folder, "--once")
        assert done.returncode == 2 and "ALARM" in done.stderr
        (folder / "state" / "evidence.json").rename(tmp_path / "evidence.json")
        for bits in (6, 7, 8):
            bare.direct.state(enterprise.statement(Action.SET_BUDGET, centibits=bits))
        until(lambda: size_of_log(platform) == 4)
        with pytest.raises(ProofInvalid, match="does not extend"):
            witness.observe()
        with pytest.raises(WalletError, match="does not check"):
            wallet.usage()
        wallet.close()
    finally:
        connection.close()
        platform.close()
        bare.close()


def _restart(platform: PlatformUnderTest) -> None:
    """Start the enclave again, and go on when the platform has noticed: it waits a moment between its attempts."""
    platform.bare.restart()
    until(lambda: platform.http.get("/readyz").is_success)


def _observed(witness: Witness) -> Any:
    """Until a checkpoint is dated later than the one of before, it only looks old."""
    try:
        return witness.observe()
    except LogStale:
        return None


def witness_program(platform: PlatformUnderTest, folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    roots = platform.bare.deployment.anchor
    options = {
        "enclave": ENCLAVE_ID, "platform": platform.rest_url, "platform-ca": roots("platform"),
        "enclave-ca": roots("enclave"), "certificate": folder / "witness.pem", "key": folder / "witness.key",
        "state": folder / "state",
    }  # fmt: skip
    command = [str(_BIN / "xyd-witness"), *(f"--{name}={value}" for name, value in options.items()), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_an_enclave_that_cannot_seal_assesses_nothing_new_and_still_revokes(bare_folder: Path) -> None:
    bare = BareEnclave(bare_folder, settings={"seal_interval_seconds": 3600, "seal_limit_seconds": 1})
    try:
        model = bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(0)))
        enterprise = bare.enterprise(1)
        digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank))
        time.sleep(2.5)
        with pytest.raises(Refusal) as refusal:
            bare.direct.score(bare.bank, model, enterprise.uscc, digest)
        assert refusal.value.reason is Reason.LOG_UNSEALED
        bare.direct.state(enterprise.statement(Action.REVOKE, digest))
        bare.crash()
        bare.restart()
        with pytest.raises(Refusal) as refusal:
            bare.direct.score(bare.bank, model, enterprise.uscc, digest)
        assert refusal.value.reason is Reason.AUTHORIZATION_REVOKED
    finally:
        bare.close()
