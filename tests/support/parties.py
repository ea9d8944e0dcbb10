"""The parties by their bare documents, for tests that speak to the enclave with the platform's code bypassed."""

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from numpy.typing import NDArray
from xinyidai.authorization import Authorization, Disclosure, authorization_digest
from xinyidai.catalogue import Catalogue, builtin_catalogue
from xinyidai.framing import FrameKind, SeededCiphertext, decode_answer, encode_seeded
from xinyidai.identifiers import Uscc, parse_bank_id, parse_enclave_id, parse_uscc, uscc_check_character
from xinyidai.identity import load_chain, thumbprint
from xinyidai.notice import notice_hash
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.purposes import DAY_SECONDS, PURPOSES
from xinyidai.reasons import Reason
from xinyidai.requests import AssessmentItem, AssessmentRequest, ModelRegistration, Stamp
from xinyidai.seal import SecretKey
from xinyidai.signing import SigningKey
from xinyidai.statements import Access, Action, KeyRegistration, Statement
from xinyidai.status import read_error
from xinyidai.v1 import assessment_pb2, enclave_pb2, enclave_pb2_grpc, model_pb2

from clients.dev.deployment import ENCLAVE_ID, Deployment


def uscc_number(number: int) -> Uscc:
    """A well-formed code with the right check character, made from a number."""
    first = f"91320703MA{number:07d}"
    return parse_uscc(first + uscc_check_character(first))


def stamp(issuer: str, *, age: int = 0, lifetime: int = 240, audience: Sequence[str] = (ENCLAVE_ID,)) -> Stamp:
    now = int(time.time()) - age
    ids = tuple(parse_enclave_id(a) for a in audience)
    return Stamp(issuer, ids, secrets.token_urlsafe(24), now, now + lifetime)


@dataclass(frozen=True, slots=True)
class RawModel:
    secret: SecretKey
    points: NDArray[np.int64]
    weights: bytes
    zero: bytes
    model_id: str


class RawEnterprise:
    def __init__(self, deployment: Deployment, uscc: str, algorithm: str = "Ed25519") -> None:
        self.uscc = parse_uscc(uscc)
        key = SigningKey.generate(algorithm)

        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.uscc)])
        request = key.certificate_request(x509.CertificateSigningRequestBuilder().subject_name(name))
        certificate = deployment.enrol(self.uscc, request.public_bytes(Encoding.PEM))
        self.key = key.with_chain(load_chain(certificate))

    def registration(self) -> str:
        return KeyRegistration(stamp(self.uscc), self.uscc).sign(self.key)

    def terms(self, bank: "RawBank", catalogue: Catalogue | None = None, **changes: Any) -> Authorization:
        """An authorization within all limits, changed as asked; its notice hash is right unless that is changed."""
        catalogue = catalogue or builtin_catalogue()
        now = int(time.time())
        grant = Authorization(
            enterprise=self.uscc,
            enclaves=(parse_enclave_id(ENCLAVE_ID),),
            authorization_id=secrets.token_urlsafe(24),
            issued_at=now,
            not_before=now,
            expires_at=now + 30 * DAY_SECONDS,
            bank=bank.bank_id,
            bank_certificate=bank.thumbprint,
            notice_hash="",
            categories=tuple(c.code for c in catalogue.categories),
            purpose="loan_origination",
            purpose_version=PURPOSES["loan_origination"].version,
            disclosure=Disclosure.TOTAL,
            precision_points=0,
            max_assessments=10,
            catalogue=catalogue.reference,
            catalogue_digest=catalogue.digest,
        )
        grant = replace(grant, **changes)
        return grant if "notice_hash" in changes else replace(grant, notice_hash=notice_hash(grant, catalogue))

    def statement(self, action: Action, authorization: str | None = None, **rest: Any) -> str:
        return Statement(stamp(self.uscc), self.uscc, action, authorization, **rest).sign(self.key)

    def access(self) -> str:
        return Access(stamp(self.uscc), self.uscc).sign(self.key)


class RawBank:
    def __init__(self, folder: Path) -> None:
        chain = load_chain((folder / "bank.pem").read_bytes())
        self.bank_id = parse_bank_id(folder.name)
        self.key = SigningKey.from_pem((folder / "bank.key").read_bytes(), chain=chain)
        self.thumbprint = thumbprint(chain[0])

    def registration(self, weights: bytes, zero: bytes, catalogue: Catalogue, **changes: Any) -> str:
        document = ModelRegistration(
            stamp(self.bank_id),
            LINEAR_4096_T1024.name,
            catalogue.reference,
            catalogue.digest,
            hashlib.sha256(weights).hexdigest(),
            hashlib.sha256(zero).hexdigest(),
        )
        return replace(document, **changes).sign(self.key)

    def request(self, model_id: str, items: Sequence[tuple[str, str]], **changes: Any) -> str:
        """`items`: (enterprise, digest of its authorization)."""
        document = AssessmentRequest(
            stamp(self.bank_id),
            model_id,
            Disclosure.TOTAL,
            0,
            False,
            tuple(AssessmentItem(parse_uscc(enterprise), digest) for enterprise, digest in items),
        )
        return replace(document, **changes).sign(self.key)


class Refusal(Exception):
    """What the enclave said no with."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason


def refused(reason: Reason) -> "pytest.RaisesExc[Refusal]":
    """A block that the enclave says no to, with this reason."""
    return pytest.raises(Refusal, check=lambda error: error.reason is reason)


class DirectEnclave:
    """The enclave's own interface over its Unix socket; the platform is not involved."""

    def __init__(self, socket: Path, timeout: float = 30.0) -> None:
        self._channel = grpc.insecure_channel(f"unix:{socket}")
        self.stub = enclave_pb2_grpc.EnclaveServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._timeout = timeout

    def call(self, method: str, request: Any) -> Any:
        """Raises `Refusal` for a typed refusal, `grpc.RpcError` for anything else."""
        try:
            return getattr(self.stub, method)(request, timeout=self._timeout)
        except grpc.RpcError as error:
            wire = read_error(error)
            if wire is None:
                raise
            raise Refusal(wire.reason, wire.message) from None

    def register_key(self, enterprise: RawEnterprise) -> None:
        self.call("RegisterKey", enclave_pb2.RegisterKeyRequest(registration=enterprise.registration()))

    def submit(self, enterprise: RawEnterprise, grant: Authorization) -> str:
        """Sign and submit; returns the digest."""
        token = grant.sign(enterprise.key)
        self.submit_token(token)
        return authorization_digest(token)

    def submit_token(self, token: str) -> None:
        self.call("SubmitAuthorization", enclave_pb2.SubmitAuthorizationRequest(authorization=token))

    def state(self, statement: str) -> None:
        self.call("SubmitStatement", enclave_pb2.SubmitStatementRequest(statement=statement))

    def register(self, bank: RawBank, points: NDArray[np.int64], catalogue: Catalogue | None = None) -> RawModel:
        secret = SecretKey.generate(LINEAR_4096_T1024)
        weights, zero = secret.encrypt_weights(points), secret.encrypt_zero()
        return self.register_ciphertexts(bank, secret, points, weights, zero, catalogue)

    def register_ciphertexts(
        self,
        bank: RawBank,
        secret: SecretKey,
        points: NDArray[np.int64],
        weights: SeededCiphertext,
        zero: SeededCiphertext,
        catalogue: Catalogue | None = None,
    ) -> RawModel:
        """Whatever a hostile bank wants to upload."""
        catalogue = catalogue or builtin_catalogue()
        frames = encode_seeded(weights, FrameKind.WEIGHTS), encode_seeded(zero, FrameKind.ZERO)
        answer = self.upload(bank.registration(*frames, catalogue), *frames)
        return RawModel(secret, points, *frames, answer.model_id)

    def upload(self, registration: str, weights: bytes, zero: bytes) -> Any:
        return self.call(
            "RegisterModel", model_pb2.RegisterModelRequest(registration=registration, weights=weights, zero=zero)
        )

    def assess(self, signed: str) -> Any:
        """The assessment of a request with one item."""
        response = self.call("Assess", assessment_pb2.AssessRequest(request=signed))
        return response.outcomes[0].assessment

    def score(self, bank: RawBank, model: RawModel, enterprise: str, digest: str, **changes: Any) -> int:
        """Ask and decrypt."""
        assessment = self.assess(bank.request(model.model_id, [(enterprise, digest)], **changes))
        return model.secret.decrypt_coefficient(decode_answer(assessment.parts[0].answer))

    def usage(self, enterprise: RawEnterprise) -> Any:
        return self.call("GetUsage", enclave_pb2.GetUsageRequest(access=enterprise.access(), page_size=500))

    def close(self) -> None:
        self._channel.close()


def random_points(catalogue: Catalogue, generator: np.random.Generator) -> NDArray[np.int64]:
    """A scorecard whose total cannot reach t: points 0..most in every cell."""
    most = (LINEAR_4096_T1024.plain_modulus - 1) // len(catalogue.features)
    return generator.integers(0, most + 1, catalogue.layout.size)


def plain_score(catalogue: Catalogue, points: NDArray[np.int64], cells: dict[str, int]) -> int:
    """The same scorecard in the clear."""
    return sum(int(points[catalogue.layout.index(feature, cell)]) for feature, cell in cells.items())
