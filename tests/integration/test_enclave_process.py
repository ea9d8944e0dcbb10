"""The enclave as a process: callers that go away, a second one beside it, damaged files, nonsense."""

import time
from contextlib import suppress
from pathlib import Path

import grpc
import numpy as np
import pytest
from xinyidai.framing import FrameKind, encode_seeded
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.reasons import Reason
from xinyidai.seal import SecretKey
from xinyidai.v1 import enclave_pb2, model_pb2

from clients.dev.system import ProcessFailed, System
from tests.support.bare import BareEnclave
from tests.support.parties import random_points, refused


def test_callers_that_go_away_cost_no_worker(bare: BareEnclave) -> None:
    """A registration sent again and again and given up at once: the worker finishes, and goes on working."""
    pid = bare.system.enclave.pid
    children = Path(f"/proc/{pid}/task/{pid}/children")
    before = children.read_text()
    secret = SecretKey.generate(LINEAR_4096_T1024)
    weights = encode_seeded(secret.encrypt_weights(np.ones(4, np.int64)), FrameKind.WEIGHTS)
    zero = encode_seeded(secret.encrypt_zero(), FrameKind.ZERO)
    for patience in np.linspace(0.001, 0.02, 20):
        signed = bare.bank.registration(weights, zero, bare.catalogue)
        message = model_pb2.RegisterModelRequest(registration=signed, weights=weights, zero=zero)
        with suppress(grpc.RpcError):
            bare.direct.stub.RegisterModel(message, timeout=float(patience))
    bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(15)))
    assert children.read_text() == before


def test_a_second_enclave_in_the_same_folder_is_refused(bare: BareEnclave) -> None:
    """One enclave is one ledger; and the first keeps its socket."""
    with pytest.raises(ProcessFailed, match="another enclave uses this folder"):
        System(bare.deployment).enclave.start()
    bare.direct.call("GetStatus", enclave_pb2.GetStatusRequest())
    assert bare.deployment.enclave_socket.exists()


def test_a_damaged_snapshot_leaves_the_one_before_in_force(bare: BareEnclave) -> None:
    current = bare.deployment.root / "enclave" / "data" / "snapshots" / "CURRENT"
    before, status = current.read_text(), bare.direct.call("GetStatus", enclave_pb2.GetStatusRequest())
    current.write_text("0" * 32)
    try:
        for _ in range(3):
            time.sleep(1.1)
            assert bare.direct.call("GetStatus", enclave_pb2.GetStatusRequest()).snapshot_id == status.snapshot_id
    finally:
        current.write_text(before)


@pytest.mark.parametrize("token", ["abc", "-1", "5" * 5000, "\u0663"])
def test_page_tokens_are_what_the_last_page_returned(bare: BareEnclave, token: str) -> None:
    enterprise = bare.enterprise(100_000 + len(token))
    with refused(Reason.REQUEST_INVALID):
        bare.direct.call("GetUsage", enclave_pb2.GetUsageRequest(access=enterprise.access(), page_token=token))
