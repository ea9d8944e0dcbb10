"""Whatever a browser sends as a passkey's answer: it is verified, or the sign-in has failed; nothing else is raised."""

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from server.accounts.errors import SignInFailed
from server.accounts.models import AccountRole
from server.accounts.passkeys import (
    Site,
    authentication_options,
    challenge_of,
    check_assertion,
    check_registration,
    registration_options,
)
from tests.support.authenticator import Authenticator

SITE = Site("https://portal.example")
CHALLENGE = bytes_to_base64url(b"c" * 32)
KEY = Authenticator(SITE.origin)
CREATED = KEY.create(registration_options(SITE, AccountRole.ENTERPRISE, "firm", CHALLENGE, []))
FOUND = KEY.get(authentication_options(SITE, CHALLENGE))

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@st.composite
def spoiled(draw: st.DrawFn, good: dict[str, Any]) -> dict[str, Any]:
    """A good answer with one member changed: gone, any JSON, or its own bytes with some of them others."""
    made: dict[str, Any] = {**good, "response": dict(good["response"])}
    place = draw(st.sampled_from([made, made["response"]]))
    name = draw(st.sampled_from(sorted(place)))
    how = draw(st.sampled_from(["gone", "other", "bytes"]))
    if how == "gone":
        del place[name]
    elif how == "other" or name in ("type", "response"):
        place[name] = draw(JSON)
    else:
        raw = bytearray(base64url_to_bytes(place[name]))
        for at in draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
            raw[at] = draw(st.integers(0, 255))
        place[name] = bytes_to_base64url(bytes(raw[: draw(st.integers(0, len(raw)))]))
    return made


def test_the_good_ones_pass() -> None:
    new = check_registration(SITE, CREATED, CHALLENGE)
    assert new.credential_id == CREATED["id"] and challenge_of(CREATED) == CHALLENGE


@settings(max_examples=400, deadline=None)
@given(spoiled(CREATED) | st.dictionaries(st.sampled_from(["id", "rawId", "response", "type"]), JSON))
def test_no_registration_raises_anything_else(untrusted: dict[str, Any]) -> None:
    with suppress(SignInFailed):
        challenge_of(untrusted)
    with suppress(SignInFailed):
        check_registration(SITE, untrusted, CHALLENGE)


@settings(max_examples=400, deadline=None)
@given(spoiled(FOUND) | st.dictionaries(st.sampled_from(["id", "rawId", "response", "type"]), JSON))
def test_no_assertion_raises_anything_else(untrusted: dict[str, Any]) -> None:
    with suppress(SignInFailed):
        check_assertion(SITE, untrusted, CHALLENGE, None)
