"""The mask key is changed between two runs of the enclave, never under one."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.support.bare import BareEnclave
from tests.support.parties import plain_score, random_points


def rotate(bare: BareEnclave) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "enclave.app", "rotate-epoch", "--config", str(bare.deployment.enclave_config)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_serving_enclave_keeps_its_key_and_a_stopped_one_gets_a_new_one(bare_folder: Path) -> None:
    bare = BareEnclave(bare_folder)
    enterprise = bare.enterprise(1)
    model = bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(1)))
    digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank))
    true = plain_score(bare.catalogue, model.points, bare.cells_of(1))

    refused = rotate(bare)
    assert refused.returncode == 1 and "another enclave uses this folder; stop it first" in refused.stderr
    assert bare.direct.score(bare.bank, model, enterprise.uscc, digest) == true

    bare.crash()
    assert "epoch 2; the old key is destroyed" in rotate(bare).stdout
    bare.restart()
    first = bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)]))
    fresh = bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)], fresh=True))
    assert first.parts[0].answer != fresh.parts[0].answer, "the stored answer is of the old key, a fresh one of the new"
    assert bare.direct.score(bare.bank, model, enterprise.uscc, digest) == true
    bare.close()
