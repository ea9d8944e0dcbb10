"""Documents of this service and another implementation of JOSE, the npm package jose: each believes the other's."""

import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from xinyidai.acknowledgement import ACKNOWLEDGEMENT_TYPE
from xinyidai.authorization import AUTHORIZATION_TYPE, authorization_digest
from xinyidai.notice import notice_hash
from xinyidai.receipt import RECEIPT_TYPE
from xinyidai.requests import REQUEST_TYPE
from xinyidai.signing import SigningKey
from xinyidai.statements import ACCESS_TYPE, STATEMENT_TYPE, Access, Action, Statement
from xinyidai.status_list import STATUS_LIST_TYPE
from xinyidai.transparency import CHECKPOINT_TYPE
from xinyidai.v1 import enclave_pb2, log_pb2

from tests.support.bare import BareEnclave
from tests.support.node import run_node
from tests.support.parties import RawEnterprise, RawModel, random_points, stamp, uscc_number

_PASSPHRASE = "of a test"


@pytest.fixture(scope="module")
def model(bare: BareEnclave) -> RawModel:
    return bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(0)))


@pytest.fixture(scope="module")
def enterprise(bare: BareEnclave) -> Iterator[RawEnterprise]:
    yield bare.enterprise(1)


def by_jose(key: SigningKey, claims: dict[str, Any], typ: str, *, with_chain: bool = False) -> str:
    """A document signed by the other implementation: its own order of members, its own spacing."""
    header: dict[str, Any] = {"typ": typ, "alg": key.public.algorithm}
    if with_chain:
        header["x5c"] = [b64encode(c.public_bytes(Encoding.DER)).decode() for c in key.chain]
    pem = key.to_encrypted_pem(_PASSPHRASE.encode()).decode()
    request = {"sign": [{"claims": claims, "header": header, "key": pem, "passphrase": _PASSPHRASE}]}
    (token,) = run_node("jose.mjs", request)["signed"]
    return str(token)


def payload(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def test_jose_verifies_what_the_enclave_and_the_enterprise_sign(
    bare: BareEnclave, enterprise: RawEnterprise, model: RawModel
) -> None:
    grant = enterprise.terms(bare.bank).sign(enterprise.key)
    accepted = bare.direct.call("SubmitAuthorization", enclave_pb2.SubmitAuthorizationRequest(authorization=grant))
    request = bare.bank.request(model.model_id, [(enterprise.uscc, accepted.digest)])
    receipt = bare.direct.assess(request).receipt
    number = int(accepted.status_uri.rpartition(":")[2])
    access = enterprise.access()
    ours = enterprise.key.public.to_pem().decode()
    checkpoint = bare.direct.call("GetCheckpoint", log_pb2.GetCheckpointRequest()).checkpoint
    listed = bare.direct.call("GetStatusList", log_pb2.GetStatusListRequest(number=number)).token
    documents: list[tuple[str, str, str | None]] = [
        (receipt, RECEIPT_TYPE, None),
        (accepted.acknowledgement, ACKNOWLEDGEMENT_TYPE, None),
        (checkpoint, CHECKPOINT_TYPE, None),
        (listed, STATUS_LIST_TYPE, None),
        (request, REQUEST_TYPE, None),
        (grant, AUTHORIZATION_TYPE, ours),
        (access, ACCESS_TYPE, ours),
    ]
    asked = [{"token": token, "typ": typ, "spki": key} for token, typ, key in documents]
    found = run_node("jose.mjs", {"verify": asked})["verified"]
    assert [one.get("claims") for one in found] == [payload(token) for token, _, _ in documents], found
    assert {one["alg"] for one in found} == {"ES256", "Ed25519"}
    changed = [{**one, "token": _changed(str(one["token"]))} for one in asked]
    for one in run_node("jose.mjs", {"verify": changed})["verified"]:
        assert one == {"error": "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"}


def _changed(token: str) -> str:
    """Another claim under the same signature."""
    head, _, signature = token.split(".")
    body = by_jose(SigningKey.generate("ES256"), payload(token) | {"iat": 1}, "x").split(".")[1]
    return f"{head}.{body}.{signature}"


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_the_enclave_takes_what_jose_signs(bare: BareEnclave, model: RawModel, algorithm: str) -> None:
    number = 2 if algorithm == "ES256" else 3
    owner = RawEnterprise(bare.deployment, uscc_number(number), algorithm)
    claims = {**stamp(owner.uscc).claims(), "sub": owner.uscc}
    registration = by_jose(owner.key, claims, "key-registration+jwt", with_chain=True)
    bare.direct.call("RegisterKey", enclave_pb2.RegisterKeyRequest(registration=registration))

    terms = owner.terms(bare.bank)
    assert terms.notice_hash == notice_hash(terms, bare.catalogue)
    token = by_jose(owner.key, terms.claims(), AUTHORIZATION_TYPE)
    bare.direct.submit_token(token)
    digest = authorization_digest(token)

    made = payload(bare.bank.request(model.model_id, [(owner.uscc, digest)]))
    signed = by_jose(bare.bank.key, made, REQUEST_TYPE, with_chain=True)
    assert bare.direct.assess(signed).receipt
    access = by_jose(owner.key, payload(Access(stamp(owner.uscc), owner.uscc).sign(owner.key)), ACCESS_TYPE)
    answer = bare.direct.call("GetUsage", enclave_pb2.GetUsageRequest(access=access))
    assert [use.authorization_digest for use in answer.usages] == [digest]
    revocation = Statement(stamp(owner.uscc), owner.uscc, Action.REVOKE, digest).sign(owner.key)
    bare.direct.state(by_jose(owner.key, payload(revocation), STATEMENT_TYPE))
