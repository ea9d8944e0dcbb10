"""Trees through every real part: SDK, mTLS, server, enclave, worker, ledger, receipt, decryption."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from xinyidai.authorization import Disclosure
from xinyidai.framing import FrameKind, decode_answer, frame_bytes
from xinyidai.identifiers import parse_bank_id
from xinyidai.parameters import LINEAR_4096_T1024, TREES_8192
from xinyidai.reasons import Reason
from xinyidai.requests import ModelRegistration, tree_model_id
from xinyidai.v1 import model_pb2

from bank_sdk import BankClientSync, InputError, ModelRefused, RegisteredModel, TreeModel
from bank_sdk.models.encryption import EncryptedTrees, encrypt_trees
from clients.dev.system import System
from clients.wallet import GrantTerms
from tests.support.bare import BareEnclave
from tests.support.parties import Refusal, stamp, uscc_number
from tests.support.running import bank_client, cells_of, new_wallet
from tests.support.trees import random_ensemble, small_catalogue


@pytest.fixture(scope="module")
def bank(city: System) -> Iterator[BankClientSync]:
    with bank_client(city, "bank-a") as client:
        yield client


@pytest.fixture(scope="module")
def ensemble(bank: BankClientSync) -> TreeModel:
    """60 trees of depth 3 on the 92 features and 2,801 cells of the built-in catalogue: 35 MB."""
    return random_ensemble(bank.catalogue(), 60, 3, np.random.default_rng(1))


@pytest.fixture(scope="module")
def registered(bank: BankClientSync, ensemble: TreeModel) -> RegisteredModel:
    return bank.register(ensemble)


def test_a_bank_registers_trees_and_gets_the_exact_score(
    city: System, bank: BankClientSync, ensemble: TreeModel, registered: RegisteredModel, tmp_path: Path
) -> None:
    assert registered.parameter_set == TREES_8192.name
    wallet = new_wallet(city, tmp_path / "wallet", uscc_number(7_001))
    wallet.authorize(wallet.draft(GrantTerms("bank-a")))
    result = bank.assess(wallet.enterprise, registered)
    cells = cells_of(city, wallet.enterprise)
    assert result.score == ensemble.score_cells([cells[f.code] for f in ensemble.catalogue.features])
    assert (result.centibits_charged, result.repeated) == (1001, False)
    assert bank.assess(wallet.enterprise, registered).repeated
    assert registered.model_id in [model.model_id for model in bank.models()]
    wallet.close()


def test_trees_refuse_disclosure_by_category_before_anything_is_sent(
    city: System, bank: BankClientSync, registered: RegisteredModel, tmp_path: Path
) -> None:
    wallet = new_wallet(city, tmp_path / "wallet", uscc_number(7_002))
    wallet.authorize(wallet.draft(GrantTerms("bank-a", by_category=True)))
    with pytest.raises(InputError, match="no sum over categories"):
        bank.assess(wallet.enterprise, registered)
    wallet.close()


def test_a_refusal_in_the_middle_of_the_upload_reaches_the_bank_at_once(bank: BankClientSync) -> None:
    """On another catalogue: the enclave says so after the first of many messages."""
    elsewhere = random_ensemble(small_catalogue(30, 60), 8, 3, np.random.default_rng(3))
    started = time.monotonic()
    with pytest.raises(ModelRefused) as refusal:
        bank.register(elsewhere)
    assert refusal.value.reason is Reason.CATALOGUE_UNKNOWN
    assert time.monotonic() - started < 20


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareEnclave]:
    enclave = BareEnclave(tmp_path_factory.mktemp("bare") / "d")
    yield enclave
    enclave.close()


@pytest.fixture(scope="module")
def upload(bare: BareEnclave) -> tuple[TreeModel, EncryptedTrees]:
    model = random_ensemble(bare.catalogue, 30, 3, np.random.default_rng(2))
    return model, encrypt_trees(model)


def registration(bare: BareEnclave, encrypted: EncryptedTrees, **changes: str) -> ModelRegistration:
    fields = {
        "parameter_set": TREES_8192.name,
        "catalogue": bare.catalogue.reference,
        "catalogue_digest": bare.catalogue.digest,
        "weights_digest": encrypted.weights_digest,
        "zero_digest": encrypted.zero_digest,
    }
    return ModelRegistration(stamp("bank-a"), **(fields | changes))


def send(bare: BareEnclave, document: ModelRegistration, frames: list[bytes]) -> model_pb2.RegisterModelResponse:
    opening = model_pb2.RegisterTreesRequest(registration=document.sign(bare.bank.key))
    messages = [opening, *(model_pb2.RegisterTreesRequest(frame=frame) for frame in frames)]
    answer: model_pb2.RegisterModelResponse = bare.direct.call("RegisterTrees", iter(messages))
    return answer


def flipped(frames: list[bytes], index: int, at: int, by: int = 1) -> list[bytes]:
    raw = bytearray(frames[index])
    raw[at] ^= by
    return [*frames[:index], bytes(raw), *frames[index + 1 :]]


def test_malformed_uploads_are_refused_by_name_and_leave_nothing_behind(
    bare: BareEnclave, upload: tuple[TreeModel, EncryptedTrees]
) -> None:
    encrypted = upload[1]
    frames, document = list(encrypted.frames()), registration(bare, encrypted)
    linear = bytes(frame_bytes(FrameKind.ZERO, LINEAR_4096_T1024))
    cases = {
        "no frame": ([], Reason.FRAME_LENGTH),
        "one missing": (frames[:-1], Reason.FRAME_LENGTH),
        "one too many": ([*frames, frames[-1]], Reason.FRAME_LENGTH),
        "cut off": ([frames[0][:-1], *frames[1:]], Reason.FRAME_LENGTH),
        "not a frame": ([linear, *frames[1:]], Reason.FRAME_MALFORMED),
        "out of order": ([frames[1], frames[0], *frames[2:]], Reason.FRAME_KIND),
        "another version": (flipped(frames, 0, 3, 3), Reason.FRAME_VERSION),
        "another set": (flipped(frames, 1, 5, 3), Reason.FRAME_LENGTH),
        "no set": (flipped(frames, 1, 5, 0xF0), Reason.PARAMETER_SET_UNKNOWN),
        "depth 7": (flipped(frames, 0, 6, 4), Reason.FRAME_MALFORMED),
        "one seed twice": ([*frames[:-1], frames[-2]], Reason.SEED_REUSED),
        "constant seed": (
            [*frames[:2], frames[2][:6] + bytes(64) + frames[2][70:], *frames[3:]],
            Reason.SEED_DEGENERATE,
        ),
        "another byte": (flipped(frames, -1 % len(frames), 5_000), Reason.SIGNATURE_INVALID),
    }
    for name, (sent, reason) in cases.items():
        with pytest.raises(Refusal) as refusal:
            send(bare, document_with_new_nonce(document), sent)
        assert refusal.value.reason is reason, name
    bad = flipped(frames, len(frames) - 1, len(frames[-1]) - 1, 0xFF)
    bad[-1] = bad[-1][:-8] + b"\xff" * 8
    signed = registration(bare, encrypted, weights_digest=digest_of(bad))
    with pytest.raises(Refusal) as refusal:
        send(bare, signed, bad)
    assert refusal.value.reason is Reason.FRAME_RESIDUE
    folder = bare.deployment.root / "enclave" / "data" / "trees"
    assert list(folder.iterdir()) == []


def document_with_new_nonce(document: ModelRegistration) -> ModelRegistration:
    return ModelRegistration(
        stamp("bank-a"), document.parameter_set, document.catalogue, document.catalogue_digest,
        document.weights_digest, document.zero_digest,
    )  # fmt: skip


def digest_of(frames: list[bytes]) -> str:
    return hashlib.sha256(b"".join(frames[:1] + frames[2:])).hexdigest()


def test_registering_twice_is_one_model_and_a_worker_that_dies_is_replaced(
    bare: BareEnclave, upload: tuple[TreeModel, EncryptedTrees]
) -> None:
    model, encrypted = upload
    frames, document = list(encrypted.frames()), registration(bare, encrypted)
    answers = [send(bare, document_with_new_nonce(document), frames) for _ in range(2)]
    assert answers[0] == answers[1]
    identity = answers[0].model_id
    assert identity == tree_model_id(document, parse_bank_id("bank-a"))
    enterprise = bare.enterprise(0)
    digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank))
    for restarted in (False, True):
        if restarted:
            bare.crash()
            bare.restart()
        request = bare.bank.request(identity, [(enterprise.uscc, digest)], fresh=True)
        (part,) = bare.direct.assess(request).parts
        points = encrypted.key.decrypt_coefficient(decode_answer(part.answer))
        assert points + model.offset == model.score_cells(bare.cells[0].tolist())


def test_trees_are_not_charged_for_a_disclosure_they_cannot_give(
    bare: BareEnclave, upload: tuple[TreeModel, EncryptedTrees]
) -> None:
    encrypted = upload[1]
    identity = send(bare, registration(bare, encrypted), list(encrypted.frames())).model_id
    enterprise = bare.enterprise(1)
    terms = enterprise.terms(bare.bank, disclosure=Disclosure.BY_CATEGORY, precision_points=31)
    digest = bare.direct.submit(enterprise, terms)
    request = bare.bank.request(
        identity, [(enterprise.uscc, digest)], disclosure=Disclosure.BY_CATEGORY, precision_points=31
    )
    with pytest.raises(Refusal) as refusal:
        bare.direct.assess(request)
    assert refusal.value.reason is Reason.REQUEST_INVALID
    assert not bare.direct.usage(enterprise).usages
