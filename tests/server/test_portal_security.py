"""The pages under attack: over HTTPS, against a real server in front of a real enclave."""

import hashlib
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from inspect import signature
from itertools import count
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xinyidai.identity import Role

from server.accounts.limits import RateLimiter
from server.accounts.models import AccountRole
from server.commands import add_staff_member, drop_staff_member, open_database
from server.objections.service import looks
from server.rest.app import Limits, build_rest
from tests.server.test_rest_edge import assert_problem
from tests.support.authenticator import Authenticator
from tests.support.bare import BareEnclave
from tests.support.certificates import make_authority
from tests.support.parties import RawEnterprise, uscc_number
from tests.support.platform import PlatformUnderTest
from tests.support.portal import COOKIE, PortalClient, random_token

PUBLIC = ("/portal/sign-in", "/portal/setup", "/operator/sign-in", "/operator/enrol")
OWN = (
    "/portal", "/portal/records", "/portal/grant", "/portal/authorizations", "/portal/usage", "/portal/account",
    "/portal/objections", "/portal/requests", "/portal/answer", "/portal/delegates",
)  # fmt: skip


@pytest.fixture
def portal(platform: PlatformUnderTest) -> Iterator[PortalClient]:
    made = PortalClient(platform.bare.deployment, platform.rest_url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def platform(bare: BareEnclave) -> Iterator[PlatformUnderTest]:
    """One that lets an address sign in as often as these tests do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XYD_SERVER_SIGN_INS_PER_MINUTE", "6000")
        made = PlatformUnderTest(bare)
    yield made
    made.close()


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return count(100)


@pytest.fixture
def firms(platform: PlatformUnderTest, numbers: Iterator[int]) -> list[RawEnterprise]:
    """Two registered enterprises that no other test knows."""
    return [platform.enterprise(next(numbers)) for _ in range(2)]


class TestSigningIn:
    def test_the_enterprises_own_key_signs_in(self, portal: PortalClient, firms: list[RawEnterprise]) -> None:
        answer = portal.sign_in(firms[0])
        assert answer.json() == {"next": "/portal"}
        cookie = answer.headers["set-cookie"].lower()
        assert cookie.startswith("__host-xyd-session=") and "domain" not in cookie
        assert all(word in cookie for word in ("httponly", "secure", "samesite=strict", "path=/"))
        assert firms[0].uscc in portal.http.get("/portal").text

    def test_a_document_signs_in_once_and_on_this_site_only(
        self, portal: PortalClient, firms: list[RawEnterprise]
    ) -> None:
        document = portal.document(firms[0])
        assert portal.api("/sign-in/key", {"document": document}).is_success
        refusals = [document]
        refusals.append(portal.document(firms[0], audience=("lianyungang-1",)))
        refusals.append(portal.document(firms[0], nonce=random_token()))
        refusals.append(firms[0].access())
        portal.forget()
        for refused in refusals:
            assert_problem(portal.api("/sign-in/key", {"document": refused}), 401, "SIGN_IN_FAILED")
        assert COOKIE not in portal.http.cookies

    def test_a_sign_in_opens_nothing_at_the_enclave(
        self, portal: PortalClient, platform: PlatformUnderTest, firms: list[RawEnterprise]
    ) -> None:
        """Whoever runs the platform sees it, and must not read or change anything with it."""
        document = portal.document(firms[0])
        answer = platform.http.get("/v1/usage", headers={"Authorization": f"Access {document}"})
        assert answer.status_code in (400, 401)
        assert platform.http.post("/v1/statements", json={"statement": document}).status_code == 400

    def test_only_the_key_the_enclave_pinned_signs_in(
        self, portal: PortalClient, platform: PlatformUnderTest, firms: list[RawEnterprise]
    ) -> None:
        """A certificate alone is not enough, nor is one of another authority."""
        second = RawEnterprise(platform.bare.deployment, firms[0].uscc)
        unregistered = RawEnterprise(platform.bare.deployment, uscc_number(49))
        other = make_authority("Other").issue(Role.ENTERPRISE, firms[0].uscc).signing_key()
        for enterprise, key in ((second, None), (unregistered, None), (firms[0], other)):
            answer = portal.api("/sign-in/key", {"document": portal.document(enterprise, key)})
            assert_problem(answer, 401, "SIGN_IN_FAILED")

    def test_a_passkey_signs_in_its_own_account(self, portal: PortalClient, firms: list[RawEnterprise]) -> None:
        portal.sign_in(firms[0])
        passkey = portal.add_passkey()
        portal.forget()
        assert portal.sign_in_with(passkey).json() == {"next": "/portal"}
        assert firms[0].uscc in portal.http.get("/portal").text

    @pytest.mark.parametrize("wrong", ["origin", "unverified", "replayed", "cloned", "unknown"])
    def test_a_passkey_answer_that_is_not_quite_right_is_refused_like_an_unknown_one(
        self, portal: PortalClient, firms: list[RawEnterprise], wrong: str
    ) -> None:
        portal.sign_in(firms[1])
        passkey = portal.add_passkey()
        portal.forget()
        if wrong == "origin":
            answer = portal.sign_in_with(passkey, origin="https://portal.example")
        elif wrong == "unverified":
            answer = portal.sign_in_with(passkey, verified=False)
        elif wrong == "replayed":
            options = portal.api("/sign-in/passkey/options").json()
            credential = {"credential": passkey.get(options)}
            assert portal.api("/sign-in/passkey", credential).is_success
            portal.forget()
            answer = portal.api("/sign-in/passkey", credential)
        elif wrong == "cloned":
            assert portal.sign_in_with(passkey).is_success
            passkey.count = 0
            portal.forget()
            answer = portal.sign_in_with(passkey)
        else:
            answer = portal.sign_in_with(Authenticator(portal.origin))
        assert_problem(answer, 401, "SIGN_IN_FAILED")
        assert COOKIE not in portal.http.cookies

    def test_no_answer_tells_whether_an_enterprise_is_known(
        self, portal: PortalClient, platform: PlatformUnderTest, firms: list[RawEnterprise]
    ) -> None:
        stranger = RawEnterprise(platform.bare.deployment, uscc_number(48))
        impostor = RawEnterprise(platform.bare.deployment, firms[0].uscc)
        answers = [portal.api("/sign-in/key", {"document": portal.document(one)}) for one in (stranger, impostor)]
        assert answers[0].content == answers[1].content
        options = [portal.api("/sign-in/passkey/options").json() for _ in range(2)]
        assert all("allowCredentials" not in one or one["allowCredentials"] == [] for one in options)
        unknown = portal.enrol("operator", "nobody", "x" * 40)
        add_staff_member(platform.settings, AccountRole.OPERATOR, "somebody", "Somebody")
        assert portal.enrol("operator", "somebody", "x" * 40).content == unknown.content


class TestSessions:
    def test_a_session_somebody_planted_is_worth_nothing_after_signing_in(
        self, portal: PortalClient, platform: PlatformUnderTest, firms: list[RawEnterprise]
    ) -> None:
        attacker = PortalClient(platform.bare.deployment, platform.rest_url)
        attacker.sign_in(firms[1])
        planted = attacker.http.cookies[COOKIE]
        portal.http.cookies.set(COOKIE, planted)
        assert portal.sign_in(firms[0]).cookies[COOKIE] != planted
        assert attacker.http.get("/portal").status_code == 303
        attacker.close()

    def test_signing_out_ends_the_session_on_the_server(self, portal: PortalClient, firms: list[RawEnterprise]) -> None:
        portal.sign_in(firms[0])
        stolen = portal.http.cookies[COOKIE]
        assert portal.api("/sign-out", headers=portal.csrf()).json() == {"next": "/portal/sign-in"}
        portal.http.cookies.set(COOKIE, stolen)
        assert portal.http.get("/portal").headers["location"] == "/portal/sign-in"

    def test_signing_out_everywhere_ends_the_others_too(
        self, portal: PortalClient, platform: PlatformUnderTest, firms: list[RawEnterprise]
    ) -> None:
        other = PortalClient(platform.bare.deployment, platform.rest_url)
        other.sign_in(firms[0])
        portal.sign_in(firms[0])
        portal.api("/sign-out?everywhere=true", headers=portal.csrf())
        assert other.http.get("/portal").status_code == 303
        other.close()

    def test_the_database_holds_no_token_that_opens_anything(
        self, portal: PortalClient, platform: PlatformUnderTest, firms: list[RawEnterprise]
    ) -> None:
        portal.sign_in(firms[0])
        code = add_staff_member(platform.settings, AccountRole.OPERATOR, "digest", "Digest")
        token = portal.http.cookies[COOKIE]
        folder = platform.bare.deployment.root / "server" / "data"
        kept = b"".join(path.read_bytes() for path in folder.iterdir())
        log = (platform.bare.deployment.root / "logs" / "server.log").read_bytes()
        for secret in (token, code):
            assert secret.encode() not in kept and secret.encode() not in log


class TestForgery:
    def test_another_sites_page_can_change_nothing(self, portal: PortalClient, firms: list[RawEnterprise]) -> None:
        """Strict cookies do not travel at all; and if they did:"""
        portal.sign_in(firms[0])
        token = portal.csrf()
        for origin in ("https://evil.example", "null", "https://localhost", None):
            headers = {**token, "origin": origin} if origin else token
            request = portal.http.build_request("POST", "/portal/api/sign-out", headers=headers)
            if origin is None:
                del request.headers["origin"]
            assert_problem(portal.http.send(request), 403, "FORBIDDEN")
        assert portal.http.get("/portal").status_code == 200

    def test_a_form_without_its_token_is_refused(self, portal: PortalClient, firms: list[RawEnterprise]) -> None:
        portal.sign_in(firms[0])
        for headers in ({}, {"x-csrf-token": "0" * 64}):
            assert_problem(portal.api("/sign-out", headers=headers), 403, "FORBIDDEN")
            assert_problem(portal.http.delete("/portal/passkeys/x", headers=headers), 403, "FORBIDDEN")

    def test_nobody_is_signed_in_from_another_site(self, portal: PortalClient, firms: list[RawEnterprise]) -> None:
        answer = portal.api(
            "/sign-in/key", {"document": portal.document(firms[0])}, headers={"origin": "https://evil.example"}
        )
        assert_problem(answer, 403, "FORBIDDEN")


class TestPages:
    def test_every_page_forbids_inline_script_and_style_and_being_framed(
        self, portal: PortalClient, firms: list[RawEnterprise]
    ) -> None:
        portal.sign_in(firms[0])
        for path in (*PUBLIC, *OWN, "/quality"):
            answer = portal.http.get(path)
            policy = answer.headers["content-security-policy"]
            assert answer.status_code == 200 and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy and "*" not in policy and "data:" not in policy
            assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text) and "<style" not in answer.text
            assert not re.search(r"\s(style|on[a-z]+|hx-on[a-z:-]*)=", answer.text)
            assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)
            assert answer.headers["cache-control"] == "no-store"

    def test_scripts_of_others_are_the_files_their_digests_name(self, portal: PortalClient) -> None:
        vendor = files("server.portal").joinpath("static/vendor")
        named = re.findall(r"`([\w.]+\.js)` \|.*`([0-9a-f]{64})`", vendor.joinpath("PROVENANCE.md").read_text())
        found = [entry.name for entry in vendor.iterdir() if entry.name.endswith(".js")]
        assert sorted(name for name, _ in named) == sorted(found)
        for name, digest in named:
            assert hashlib.sha256(vendor.joinpath(name).read_bytes()).hexdigest() == digest

    def test_static_files_are_named_by_content_and_nothing_else_is_served(self, portal: PortalClient) -> None:
        (base,) = set(re.findall(r'href="(/portal/static/[0-9a-f]{16})/style.css"', portal.http.get(PUBLIC[0]).text))
        style = portal.http.get(f"{base}/style.css")
        assert style.headers["content-type"].startswith("text/css") and "immutable" in style.headers["cache-control"]
        assert portal.http.get(f"{base}/style.css", headers={"accept-encoding": "identity"}).text == style.text
        for path in (f"{base}/../pages.py", f"{base}/%2e%2e/pages.py", f"{base}/nope.js", "/portal/static/0/style.css"):
            assert portal.http.get(path, follow_redirects=True).status_code == 404

    def test_both_languages_and_no_other(self, portal: PortalClient) -> None:
        assert 'lang="zh-CN"' in portal.http.get("/portal/sign-in").text
        assert 'html lang="en"' in portal.http.get("/portal/sign-in?lang=en").text
        assert 'html lang="en"' in portal.http.get("/portal/sign-in").text
        assert 'html lang="en"' in portal.http.get("/portal/sign-in?lang=<script>").text


class TestStaff:
    def test_a_code_enrols_once_and_opens_the_operators_page_which_notes_it(
        self, portal: PortalClient, platform: PlatformUnderTest
    ) -> None:
        code = add_staff_member(platform.settings, AccountRole.OPERATOR, "li", "李")
        assert portal.enrol("operator", "li", code).json() == {"next": "/operator"}
        page = portal.http.get("/operator")
        assert page.status_code == 200 and "/operator" in portal.http.get("/operator/events").text
        assert portal.http.get("/portal").headers["location"] == "/portal/sign-in"
        portal.forget()
        assert_problem(portal.enrol("operator", "li", code), 401, "SIGN_IN_FAILED")

    def test_a_department_opens_no_operators_page(self, portal: PortalClient, platform: PlatformUnderTest) -> None:
        code = add_staff_member(platform.settings, AccountRole.DEPARTMENT, "rsj-1", "人社")
        assert portal.enrol("department", "rsj-1", code).json() == {"next": "/operator/account"}
        assert portal.http.get("/operator").headers["location"] == "/operator/sign-in"
        assert portal.http.get("/operator/account").status_code == 200

    def test_both_see_how_far_objections_are_and_every_look_is_recorded_by_its_id(
        self, portal: PortalClient, platform: PlatformUnderTest
    ) -> None:
        asked = "/operator/objections"
        assert portal.http.get(asked).headers["location"] == "/operator/sign-in"
        for role, staff_id, what in (
            (AccountRole.OPERATOR, "zhao", "overview"),
            (AccountRole.DEPARTMENT, "swj-1", "overview by a department"),
        ):
            code = add_staff_member(platform.settings, role, staff_id, "Somebody")
            portal.enrol(role, staff_id, code)
            page = portal.http.get(asked)
            assert page.status_code == 200
            assert ("xyd-upload decide" in page.text) is (role is AccountRole.DEPARTMENT)
            database = open_database(platform.settings)
            with database.transaction("test") as session:
                look = looks(session, 1)[0]
                assert (look.operator, look.what) == (staff_id, what)
            database.close()
            portal.forget()

    def test_an_enterprise_opens_no_page_of_staff(self, portal: PortalClient, firms: list[RawEnterprise]) -> None:
        portal.sign_in(firms[0])
        assert portal.http.get("/operator/objections").headers["location"] == "/operator/sign-in"

    def test_who_is_removed_is_out_at_once(self, portal: PortalClient, platform: PlatformUnderTest) -> None:
        code = add_staff_member(platform.settings, AccountRole.OPERATOR, "wang", "王")
        portal.enrol("operator", "wang", code)
        passkey = portal.add_passkey()
        drop_staff_member(platform.settings, AccountRole.OPERATOR, "wang")
        assert portal.http.get("/operator").status_code == 303
        assert_problem(portal.sign_in_with(passkey), 401, "SIGN_IN_FAILED")
        with pytest.raises(ValueError, match="no such account"):
            drop_staff_member(platform.settings, AccountRole.OPERATOR, "wang")


class TestLimits:
    def test_an_address_that_keeps_failing_in_one_name_is_locked_out_of_it_alone(
        self, portal: PortalClient, platform: PlatformUnderTest, firms: list[RawEnterprise]
    ) -> None:
        victim = platform.enterprise(45)
        impostor = RawEnterprise(platform.bare.deployment, victim.uscc)
        answers = [portal.api("/sign-in/key", {"document": portal.document(impostor)}) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429]
        assert_problem(answers[-1], 429, "RATE_LIMITED")
        assert 0 < int(answers[-1].headers["retry-after"]) <= 900
        assert_problem(portal.sign_in(victim), 429, "RATE_LIMITED")
        assert portal.sign_in(firms[0]).is_success

    def test_what_locked_an_account_shows_in_its_own_record(
        self, portal: PortalClient, platform: PlatformUnderTest
    ) -> None:
        firm = platform.enterprise(46)
        impostor = RawEnterprise(platform.bare.deployment, firm.uscc)
        portal.api("/sign-in/key", {"document": portal.document(impostor)})
        portal.sign_in(firm)
        assert "SIGN_IN_FAILED" in portal.http.get("/portal/account").text


@pytest.mark.parametrize("text", ["\x00", "\ud800", "x" * 5000, "\u202e", "'; DROP TABLE account_staff; --"])
def test_no_text_in_any_place_of_a_sign_in_makes_the_server_fail(
    portal: PortalClient, firms: list[RawEnterprise], text: str
) -> None:
    portal.sign_in(firms[0])
    headers = {**portal.csrf(), "content-type": "application/json"}
    enrolment = {"role": "operator", "id": text, "code": text, "credential": {"id": text}, "label": text}
    for path, body in (
        ("/sign-in/key", {"document": text}),
        ("/sign-in/passkey", {"credential": {"id": text, "response": {"clientDataJSON": text}}}),
        ("/passkeys", {"credential": {text: text}, "label": text}),
        ("/enrol/options", {name: enrolment[name] for name in ("role", "id", "code")}),
        ("/enrol", enrolment),
    ):
        answer = portal.http.post(f"/portal/api{path}", content=json.dumps(body).encode(), headers=headers)
        assert 400 <= answer.status_code < 500, (path, answer.text)
    assert (
        portal.http.delete(f"/portal/passkeys/{quote(text[:100], errors='replace')}", headers=headers).status_code < 500
    )


def every_route() -> list[tuple[str, str]]:
    """(method, path) of everything the server answers, from its own table of routes, so that a new one is tried too."""
    unused: Any = None
    limiter = RateLimiter(0)
    parts: dict[str, Any] = dict.fromkeys(signature(build_rest).parameters)
    app = build_rest(**{**parts, "limits": Limits(unused, limiter, limiter)})
    # What is included stands in the table as it was, or one level below.
    routes = [inner for route in app.routes for inner in getattr(route, "original_router", app).routes]
    found = [route for route in (*app.routes, *routes) if isinstance(route, APIRoute)]
    return sorted({(method, route.path) for route in found for method in route.methods or ()})


ROUTES = every_route()


def test_the_table_is_whole() -> None:
    paths = {path for _, path in ROUTES}
    assert {"/portal", "/portal/api/sign-out", "/operator", "/v1/usage", "/v1/own-records", "/quality"} <= paths


@pytest.mark.parametrize(("method", "path"), [one for one in ROUTES if one[1].startswith(("/portal", "/operator"))])
def test_every_page_and_call_but_those_that_sign_in_asks_for_a_session(
    portal: PortalClient, method: str, path: str
) -> None:
    signing_in = ("/portal/api/challenge", "/portal/api/sign-in", "/portal/api/enrol", "/portal/api/terms")
    if path in PUBLIC or path.startswith(("/portal/static", *signing_in)):
        return
    answer = portal.http.request(method, path.replace("{credential_id}", "x"))
    if method == "GET":
        assert answer.status_code == 303 and answer.headers["location"] in ("/portal/sign-in", "/operator/sign-in")
    else:
        assert_problem(answer, 401, "SESSION_REQUIRED")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_firms_session_never_reaches_another_firms(
    data: st.DataObject, portal: PortalClient, platform: PlatformUnderTest, firms: list[RawEnterprise]
) -> None:
    """Whatever path, query, header or body names another enterprise: nothing of it comes back, and nothing of it
    changes."""
    mine, other = firms
    if COOKIE not in portal.http.cookies:
        assert portal.sign_in(mine).is_success
    method, path = data.draw(st.sampled_from(ROUTES))
    if path in ("/portal/api/sign-out", "/portal/api/passkeys"):
        return
    values = st.sampled_from([other.uscc, "1", "x", mine.uscc])
    filled = re.sub(r"\{[^}]+\}", lambda _: data.draw(values), path)
    query = {name: data.draw(values) for name in ("enterprise", "uscc", "sub", "holder", "page_token")}
    forged = other.terms(platform.bare.bank).sign(mine.key)
    body = {
        name: data.draw(st.sampled_from([other.uscc, forged, mine.access()]))
        for name in ("registration", "authorization", "statement", "request", "demand", "document")
        if data.draw(st.booleans())
    }
    headers = {"X-Forwarded-User": other.uscc, "X-Enterprise": other.uscc, "Authorization": f"Access {forged}"}
    answer = portal.http.request(method, filled, params=query, json=body, headers=headers)
    assert answer.status_code < 500
    if answer.status_code == 200 and "static" not in path:
        said = answer.text.replace(other.uscc, "", 1) if "{" in path else answer.text
        assert other.uscc not in said or "openapi" in path
        assert other.key.public.thumbprint not in answer.text


def test_no_firms_documents_open_anothers_usage_grants_or_records(
    platform: PlatformUnderTest, firms: list[RawEnterprise]
) -> None:
    """The documents themselves: signed by one, naming the other, on every path that takes one."""
    mine, other = firms
    impostor = RawEnterprise(platform.bare.deployment, other.uscc)
    token = other.terms(platform.bare.bank).sign(mine.key)
    tried: list[httpx.Response] = [
        platform.http.get(path, headers={"Authorization": f"Access {impostor.access()}"})
        for path in ("/v1/usage", "/v1/authorizations")
    ]
    tried.append(platform.http.post("/v1/authorizations", json={"authorization": token}))
    for path in ("/v1/lineage", "/v1/own-records"):
        tried.append(platform.http.post(path, json={"request": impostor.access()}))
    assert all(answer.status_code in (400, 401) for answer in tried)
