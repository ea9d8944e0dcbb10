"""Registered models: two seeded ciphertexts under a key the enclave never sees."""

import hashlib
import sqlite3
from dataclasses import dataclass

from xinyidai.framing import FrameKind, decode_seeded
from xinyidai.identifiers import BankId, parse_bank_id
from xinyidai.identity import verify_with_chain
from xinyidai.parameters import PARAMETER_SETS, TREES_8192
from xinyidai.reasons import Reason
from xinyidai.receipt import ModelReceipt
from xinyidai.requests import REGISTRATION_TYPE, ModelRegistration, model_id, parse_registration

from enclave.authority.store import transaction
from enclave.authority.trust import Trust, spend_nonce
from enclave.errors import Refused


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A registration whose signature, digests and frames have been checked, but not yet its ciphertexts."""

    registration: ModelRegistration
    bank: BankId
    signer: str
    weights: bytes
    """Of a tree ensemble: its LEAVES frame; the rest lies in the folder of tree ensembles."""
    zero: bytes
    seeds: tuple[bytes, ...]
    model_id: str


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    model_id: str
    receipt: str


@dataclass(frozen=True, slots=True)
class VerifiedRegistration:
    """What a bank signed about a model that has yet to be read."""

    document: ModelRegistration
    bank: BankId
    signer: str


def verify_registration(trust: Trust, raw: str, now: int) -> VerifiedRegistration:
    """Raises `Refused` or `DocumentError`. Spends nothing yet."""
    signed = verify_with_chain(raw, REGISTRATION_TYPE, trust.banks)
    registration = parse_registration(signed.claims)
    trust.check_stamp(registration.stamp, now)
    if registration.stamp.issuer != signed.identity.name:
        raise Refused(Reason.CERTIFICATE_INVALID, "the certificate names another bank")
    if registration.parameter_set not in PARAMETER_SETS:
        raise Refused(Reason.PARAMETER_SET_UNKNOWN, "use one of: " + ", ".join(PARAMETER_SETS))
    if (registration.catalogue, registration.catalogue_digest) != (
        trust.catalogue.reference,
        trust.catalogue.digest,
    ):
        raise Refused(
            Reason.CATALOGUE_UNKNOWN,
            f"build the model on the catalogue in force, {trust.catalogue.reference}",
        )
    return VerifiedRegistration(registration, parse_bank_id(signed.identity.name), signed.thumbprint)


def check_upload(trust: Trust, raw: str, untrusted_weights: bytes, untrusted_zero: bytes, now: int) -> Upload:
    """Raises `Refused`, `DocumentError` or `FrameError`. The expensive check, expansion by the library, comes after."""
    verified = verify_registration(trust, raw, now)
    registration, bank = verified.document, verified.bank
    weights = decode_seeded(untrusted_weights, FrameKind.WEIGHTS)
    zero = decode_seeded(untrusted_zero, FrameKind.ZERO)
    digests = (hashlib.sha256(untrusted_weights).hexdigest(), hashlib.sha256(untrusted_zero).hexdigest())
    if digests != (registration.weights_digest, registration.zero_digest):
        raise Refused(Reason.SIGNATURE_INVALID, "the frames are not those the registration was signed for")
    if {weights.parameters.name, zero.parameters.name} != {registration.parameter_set}:
        raise Refused(Reason.PARAMETER_SET_UNKNOWN, "the frames are of another parameter set than the registration")
    if weights.seed == zero.seed:
        raise Refused(Reason.SEED_REUSED, "both ciphertexts use one seed, which would reveal the points; encrypt anew")
    identity = model_id(
        registration.parameter_set, registration.catalogue_digest, untrusted_weights, untrusted_zero, bank
    )
    return Upload(
        registration,
        bank,
        verified.signer,
        untrusted_weights,
        untrusted_zero,
        (weights.seed, zero.seed),
        identity,
    )


def spend_registration(
    connection: sqlite3.Connection, trust: Trust, verified: VerifiedRegistration, identity: str, now: int
) -> None:
    """Before the expensive check: one signed registration buys one, however it ends. Raises `Refused`.

    `identity`: the model's id. A bank that is full learns it here, before it has sent an ensemble; what counts is
    looked at again where the model is kept.
    """
    with transaction(connection, "spend registration"):
        spend_nonce(connection, verified.signer, verified.document.stamp, now)
        if not is_registered(connection, identity):
            _check_room(connection, trust, verified.bank, verified.document.parameter_set)


def _check_room(connection: sqlite3.Connection, trust: Trust, bank: str, parameter_set: str) -> None:
    """Raises `Refused` when the bank has as many models of this kind as it may. Call inside a transaction."""
    (count,) = connection.execute(
        "SELECT count(*) FROM model WHERE bank = ? AND parameter_set = ?", (bank, parameter_set)
    ).fetchone()
    most = trust.most_trees if parameter_set == TREES_8192.name else trust.most_models
    if count >= most:
        kind = "tree ensembles" if parameter_set == TREES_8192.name else "scorecards"
        raise Refused(
            Reason.MODEL_LIMIT,
            f"this bank has {count} {kind} here and may have {most}; use one of them, or ask the data holder for more",
        )


def register_model(connection: sqlite3.Connection, trust: Trust, upload: Upload, now: int) -> RegisteredModel:
    """Keep a checked model. The same model again returns the same receipt; a seed used before is refused."""
    with transaction(connection, "register model"):
        row = connection.execute("SELECT receipt FROM model WHERE model_id = ?", (upload.model_id,)).fetchone()
        if row is not None:
            return RegisteredModel(upload.model_id, row[0])
        _check_room(connection, trust, upload.bank, upload.registration.parameter_set)
        for seed in upload.seeds:
            digest = hashlib.sha256(seed).digest()
            added = connection.execute("INSERT INTO seed VALUES (?, ?) ON CONFLICT DO NOTHING", (upload.bank, digest))
            if added.rowcount != 1:
                raise Refused(
                    Reason.SEED_REUSED,
                    "this bank used a seed before, which would reveal points; encrypt anew",
                )
        receipt = ModelReceipt(
            enclave=trust.enclave_id,
            model=upload.model_id,
            bank=upload.bank,
            parameter_set=upload.registration.parameter_set,
            catalogue=trust.catalogue.reference,
            catalogue_digest=trust.catalogue.digest,
            registered_at=now,
        ).sign(trust.receipt_key)
        connection.execute(
            "INSERT INTO model VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                upload.model_id, upload.bank, upload.registration.parameter_set, trust.catalogue.digest,
                upload.weights, upload.zero, now, receipt,
            ),
        )  # fmt: skip
    return RegisteredModel(upload.model_id, receipt)


def is_registered(connection: sqlite3.Connection, identity: str) -> bool:
    return connection.execute("SELECT 1 FROM model WHERE model_id = ?", (identity,)).fetchone() is not None


def model_frames(connection: sqlite3.Connection, identity: str) -> tuple[bytes, bytes]:
    """W and P of a registered model."""
    row = connection.execute("SELECT weights, zero FROM model WHERE model_id = ?", (identity,)).fetchone()
    if row is None:
        raise Refused(Reason.MODEL_UNKNOWN, "register the model first")
    return row[0], row[1]


def parameter_set_of(connection: sqlite3.Connection, identity: str, bank: str, catalogue_digest: str) -> str:
    """The parameter set of a bank's own model on the catalogue in force. Raises `Refused`."""
    row = connection.execute(
        "SELECT parameter_set, catalogue_digest FROM model WHERE model_id = ? AND bank = ?", (identity, bank)
    ).fetchone()
    if row is None:
        raise Refused(Reason.MODEL_UNKNOWN, "this bank registered no such model")
    if row[1] != catalogue_digest:
        raise Refused(Reason.CATALOGUE_UNKNOWN, "the model is on an earlier catalogue; register it on the one in force")
    parameter_set: str = row[0]
    return parameter_set
