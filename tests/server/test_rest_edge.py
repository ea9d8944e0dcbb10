"""What an enterprise's program meets: REST over HTTPS, in front of a real enclave."""

import json
import time

import httpx
import pytest
from xinyidai.acknowledgement import verify_acknowledgement
from xinyidai.authorization import authorization_digest
from xinyidai.catalogue import parse_catalogue
from xinyidai.identity import Role, TrustAnchor
from xinyidai.reasons import STATUS_NAMES
from xinyidai.signing import signed_digest
from xinyidai.statements import Action

from server.rest.problems import HTTP_STATUS
from tests.support.parties import RawEnterprise, uscc_number
from tests.support.platform import PlatformUnderTest


def assert_problem(answer: httpx.Response, status: int, reason: str) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "reason"}
    assert (answer.status_code, body["status"], body["reason"]) == (status, status, reason)
    assert body["type"] == f"urn:xinyidai:reason:{reason}"
    assert "Traceback" not in answer.text


def access(enterprise: RawEnterprise) -> dict[str, str]:
    return {"Authorization": f"Access {enterprise.access()}"}


def test_a_grant_from_registration_to_revocation(platform: PlatformUnderTest) -> None:
    http, enterprise = platform.http, RawEnterprise(platform.bare.deployment, uscc_number(11))
    enclaves = TrustAnchor.from_pem(Role.ENCLAVE, platform.bare.deployment.anchor("enclave").read_bytes())
    answer = http.post("/v1/keys", json={"registration": enterprise.registration()})
    assert answer.json() == {
        "enterprise": enterprise.uscc,
        "key_thumbprint": enterprise.key.public.thumbprint,
    }
    token = enterprise.terms(platform.bare.bank).sign(enterprise.key)
    digest = authorization_digest(token)
    accepted = http.post("/v1/authorizations", json={"authorization": token}).json()
    assert (accepted["digest"], accepted["state"]) == (digest, "active")
    verify_acknowledgement(accepted["acknowledgement"], digest, enclaves)
    place = {"status_index": accepted["status_index"], "status_uri": "urn:xinyidai:status-list:lianyungang-1:1"}
    for action, state in ((Action.PAUSE, "paused"), (Action.RESUME, "active"), (Action.REVOKE, "revoked")):
        statement = enterprise.statement(action, digest)
        done = http.post("/v1/statements", json={"statement": statement}).json()
        assert set(done) == {"state", "acknowledgement"} and done["state"] == state
        assert verify_acknowledgement(done["acknowledgement"], signed_digest(statement), enclaves).state == state
    assert http.get("/v1/authorizations", headers=access(enterprise)).json() == {
        "authorizations": [
            {
                "authorization": token,
                "state": "revoked",
                "assessments": 0,
                "signed_by": "",
                "renewal_due": False,
                "reconfirm_due": False,
                **place,
            }
        ]
    }
    statement = enterprise.statement(Action.RESUME, digest)
    assert_problem(http.post("/v1/statements", json={"statement": statement}), 403, "AUTHORIZATION_REVOKED")
    noted = [row for row in platform.audit() if row["enterprise"] == enterprise.uscc]
    assert [(row["kind"], row["outcome"]) for row in noted] == [
        ("register_key", "OK"),
        ("submit_authorization", "OK"),
        *[("submit_statement", "OK")] * 3,
        ("read_usage", "OK"),
        ("submit_statement", "AUTHORIZATION_REVOKED"),
    ]


def test_a_budget_has_no_state_and_shows_in_the_usage(platform: PlatformUnderTest) -> None:
    enterprise = platform.enterprise(12)
    statement = enterprise.statement(Action.SET_BUDGET, centibits=700)
    assert platform.http.post("/v1/statements", json={"statement": statement}).json()["state"] is None
    body = platform.http.get("/v1/usage", headers=access(enterprise)).json()
    assert set(body) == {"usages", "budgets", "authorizations", "checkpoint", "next_page_token"}
    (total,) = body["budgets"]
    assert (total["bank_id"], total["limit_centibits"], total["spent_centibits"]) == ("", 700, 0)


def test_an_access_token_opens_one_page_once_and_only_its_own(platform: PlatformUnderTest) -> None:
    headers = access(platform.enterprise(13))
    assert platform.http.get("/v1/usage", headers=headers).status_code == 200
    assert_problem(platform.http.get("/v1/usage", headers=headers), 409, "NONCE_SPENT")
    for wrong in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Access"}):
        answer = platform.http.get("/v1/usage", headers=wrong)
        assert_problem(answer, 401, "SIGNATURE_INVALID")
        assert answer.headers["www-authenticate"] == "Access"


def test_a_platform_that_would_forge_a_grant_fails_at_the_enclave(platform: PlatformUnderTest) -> None:
    enterprise, forger = platform.enterprise(14), platform.enterprise(15)
    forged = enterprise.terms(platform.bare.bank).sign(forger.key)
    answer = platform.http.post("/v1/authorizations", json={"authorization": forged})
    assert_problem(answer, 401, "SIGNATURE_INVALID")
    assert platform.audit()[-1]["outcome"] == "SIGNATURE_INVALID"


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"registration": "x"}, 400, "DOCUMENT_MALFORMED"),
        ({"registration": "x" * 17_000}, 400, "REQUEST_INVALID"),
        ({"registration": "x" * 70_000}, 413, "REQUEST_TOO_LARGE"),
        ({"registration": "x", "extra": 1}, 400, "REQUEST_INVALID"),
        ({"registration": 1}, 400, "REQUEST_INVALID"),
        ({}, 400, "REQUEST_INVALID"),
    ],
)
def test_a_wrong_body_is_refused_as_a_problem(
    platform: PlatformUnderTest, body: dict[str, object], status: int, reason: str
) -> None:
    assert_problem(platform.http.post("/v1/keys", json=body), status, reason)


def test_a_refusal_does_not_repeat_what_was_sent(platform: PlatformUnderTest) -> None:
    answer = platform.http.post("/v1/keys", json={"registration": ["secret-token"], "secret-token-2": 1})
    assert "secret-token'" not in answer.text and 'secret-token"' not in answer.text


def test_a_body_without_a_length_is_cut_at_the_limit_too(platform: PlatformUnderTest) -> None:
    chunks = (b"x" * 8192 for _ in range(20))
    answer = platform.http.post("/v1/keys", content=chunks, headers={"content-type": "application/json"})
    assert_problem(answer, 413, "REQUEST_TOO_LARGE")


def test_unknown_paths_and_methods_are_problems_too(platform: PlatformUnderTest) -> None:
    assert_problem(platform.http.get("/v1/nope"), 404, "REQUEST_INVALID")
    assert_problem(platform.http.get("/v1/keys"), 405, "REQUEST_INVALID")


def test_anybody_reads_the_catalogue_and_checks_its_digest(platform: PlatformUnderTest) -> None:
    body = platform.http.get("/v1/catalogue").json()
    catalogue = parse_catalogue(json.dumps(body["document"], ensure_ascii=False).encode())
    assert (catalogue.reference, catalogue.digest) == (body["reference"], body["digest"])
    assert_problem(platform.http.get("/v1/catalogue?reference=other@1"), 400, "CATALOGUE_UNKNOWN")


def test_anybody_reads_which_banks_and_enclaves_there_are(platform: PlatformUnderTest) -> None:
    assert platform.http.get("/v1/banks").json() == {
        "banks": [
            {
                "id": "bank-a",
                "name_zh": "甲银行",
                "name_en": "Bank A",
                "certificate_thumbprint": platform.bare.bank.thumbprint,
            }
        ]
    }
    (enclave,) = platform.http.get("/v1/enclaves").json()["enclaves"]
    assert enclave["id"] == "lianyungang-1" and enclave["available"] and enclave["as_of"] == "2026-10-31"
    assert enclave["catalogue"] == platform.bare.catalogue.reference
    assert enclave["receipt_certificate"].startswith("-----BEGIN CERTIFICATE-----")


def test_health_readiness_and_headers(platform: PlatformUnderTest) -> None:
    for path in ("/healthz", "/readyz"):
        answer = platform.http.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert answer.headers["cache-control"] == "no-store" and "server" not in answer.headers


def test_the_openapi_document_names_every_path_with_examples(platform: PlatformUnderTest) -> None:
    document = platform.http.get("/v1/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/keys", "/v1/authorizations", "/v1/statements", "/v1/usage", "/v1/catalogue", "/v1/banks", "/v1/enclaves",
        "/v1/lineage", "/v1/own-records", "/v1/quality", "/v1/products", "/v1/demands", "/v1/demands/{demand_id}",
        "/healthz", "/readyz",
        "/v1/white-list", "/v1/disclosures", "/v1/loans", "/v1/dashboard",
        "/v1/authorization-requests", "/v1/delegations", "/v1/objections",
        "/v1/log/checkpoint", "/v1/log/consistency", "/v1/log/leaves", "/v1/log/inclusion", "/v1/log/cosignatures",
        "/v1/status-lists/{number}",
    }  # fmt: skip
    assert document["components"]["securitySchemes"]["Access"]["scheme"] == "Access"
    registration = document["components"]["schemas"]["KeyRegistration"]
    assert registration["additionalProperties"] is False and registration["properties"]["registration"]["examples"]
    assert all("default" in call["responses"] for path in document["paths"].values() for call in path.values())


def test_every_reason_has_a_status() -> None:
    assert set(HTTP_STATUS) == set(STATUS_NAMES)


def test_the_log_is_json_and_holds_no_document(platform: PlatformUnderTest) -> None:
    headers = access(platform.enterprise(16))
    platform.http.get("/v1/usage", headers=headers, params={"page_token": "12345"})
    time.sleep(0.1)
    lines = (platform.bare.deployment.root / "logs" / "server.log").read_text().splitlines()
    assert all(json.loads(line)["event"] for line in lines)
    assert not any("eyJ" in line or "12345" in line.split("path")[-1].split(",")[0] for line in lines)
