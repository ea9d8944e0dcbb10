"""Passkeys (WebAuthn, level 3), by the library `webauthn`.

They are discoverable and the user is always verified: nobody types a name, so there is none to guess or to enumerate.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import delete, insert, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from server.accounts.errors import NotAllowed, SignInFailed
from server.accounts.models import AccountRole, Passkey
from server.accounts.rules import digest_of

MOST_PASSKEYS: Final = 10
"""Of one account."""
_NAME: Final = "信易贷 / Xinyidai"
_MAX_ID: Final = 512
_BASE64URL: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{_MAX_ID}}}")
_LABEL: Final = 64
_UNREADABLE: Final = (WebAuthnException, ValueError, TypeError, KeyError)


@dataclass(frozen=True, slots=True)
class Site:
    """Where the pages are, as browsers see it."""

    origin: str
    """Such as https://portal.example; a port only where it is not 443."""

    @property
    def rp_id(self) -> str:
        return self.origin.removeprefix("https://").partition(":")[0]


def _dummy_key() -> bytes:
    """A COSE key nobody has the private half of: an unknown credential costs the same work as a known one."""
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    x, y = (number.to_bytes(32, "big") for number in (numbers.x, numbers.y))
    return b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y


_DUMMY: Final = _dummy_key()


def registration_options(site: Site, role: AccountRole, holder: str, challenge: str, known: list[str]) -> Any:
    """What the browser is asked for, as JSON. `known`: credential ids it need not make again."""
    options = generate_registration_options(
        rp_id=site.rp_id,
        rp_name=_NAME,
        user_id=digest_of(f"{role}\n{holder}").encode(),
        user_name=holder,
        challenge=base64url_to_bytes(challenge),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in known],
    )
    return json.loads(options_to_json(options))


def authentication_options(site: Site, challenge: str) -> Any:
    """Names no account and no credential."""
    options = generate_authentication_options(
        rp_id=site.rp_id,
        challenge=base64url_to_bytes(challenge),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return json.loads(options_to_json(options))


def challenge_of(untrusted: dict[str, Any]) -> str:
    """The challenge a browser's answer says it is to. Raises `SignInFailed`."""
    try:
        client_data = json.loads(base64url_to_bytes(untrusted["response"]["clientDataJSON"]))
        found = client_data["challenge"]
        if not isinstance(found, str) or not _BASE64URL.fullmatch(found):
            raise SignInFailed
        return found
    except _UNREADABLE as error:
        raise SignInFailed from error


def credential_id_of(untrusted: dict[str, Any]) -> str:
    """The credential a browser's answer says it is by; "" for what cannot be one."""
    found = untrusted.get("id")
    return found if isinstance(found, str) and _BASE64URL.fullmatch(found) else ""


@dataclass(frozen=True, slots=True)
class NewPasskey:
    credential_id: str
    public_key: bytes
    sign_count: int


def check_registration(site: Site, untrusted: dict[str, Any], challenge: str) -> NewPasskey:
    """Verify a browser's answer. Raises `SignInFailed`."""
    try:
        found = verify_registration_response(
            credential=untrusted,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _UNREADABLE as error:
        raise SignInFailed from error
    credential_id = bytes_to_base64url(found.credential_id)
    if len(credential_id) > _MAX_ID:
        raise SignInFailed
    return NewPasskey(credential_id, found.credential_public_key, found.sign_count)


def keep_passkey(session: Session, role: AccountRole, holder: str, label: str, new: NewPasskey, now: int) -> None:
    """Raises `NotAllowed` beyond the most an account has, `SignInFailed` for a credential that is known already."""
    count = select(func.count()).where(Passkey.role == role, Passkey.holder == holder)
    if session.exec(count).one() >= MOST_PASSKEYS:
        raise NotAllowed(f"通行密钥最多 {MOST_PASSKEYS} 个 / an account has at most {MOST_PASSKEYS} passkeys")
    row = {
        "credential_id": new.credential_id,
        "role": str(role),
        "holder": holder,
        "label": label.strip()[:_LABEL] or "-",
        "public_key": new.public_key,
        "sign_count": new.sign_count,
        "created_at": now,
        "used_at": now,
    }
    try:
        session.execute(insert(Passkey).values(**row))
    except IntegrityError as error:
        raise SignInFailed from error


def passkeys_of(session: Session, role: AccountRole, holder: str) -> list[Passkey]:
    own = select(Passkey).where(Passkey.role == role, Passkey.holder == holder)
    return list(session.exec(own.order_by(col(Passkey.created_at), col(Passkey.credential_id))))


def remove_passkey(session: Session, role: AccountRole, holder: str, untrusted_id: str) -> bool:
    """Whether this account had it."""
    if not _BASE64URL.fullmatch(untrusted_id):
        return False
    gone = session.execute(
        delete(Passkey)
        .where(col(Passkey.credential_id) == untrusted_id, col(Passkey.role) == role, col(Passkey.holder) == holder)
        .returning(col(Passkey.credential_id))
    )
    return gone.first() is not None


def find_passkey(session: Session, untrusted_id: str) -> Passkey | None:
    return session.get(Passkey, untrusted_id) if _BASE64URL.fullmatch(untrusted_id) else None


def check_assertion(site: Site, untrusted: dict[str, Any], challenge: str, known: Passkey | None) -> int:
    """Verify a browser's answer with the key of its credential; the new count of signatures. Raises `SignInFailed`,
    after the same work whether the credential is known or not."""
    try:
        found = verify_authentication_response(
            credential=untrusted,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=site.rp_id,
            expected_origin=site.origin,
            credential_public_key=known.public_key if known else _DUMMY,
            credential_current_sign_count=known.sign_count if known else 0,
            require_user_verification=True,
        )
    except _UNREADABLE as error:
        raise SignInFailed from error
    if known is None:
        raise SignInFailed
    return found.new_sign_count


def note_use(session: Session, passkey: Passkey, sign_count: int, now: int) -> None:
    """One atomic update: of two answers with one count, only one passes. Raises `SignInFailed`."""
    used = session.execute(
        update(Passkey)
        .where(col(Passkey.credential_id) == passkey.credential_id, col(Passkey.sign_count) == passkey.sign_count)
        .values(sign_count=sign_count, used_at=now)
        .returning(col(Passkey.credential_id))
    )
    if used.first() is None:
        raise SignInFailed
