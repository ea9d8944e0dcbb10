"""What an enterprise signs besides authorizations: the registration of its key, statements that change something, the
access token by which it reads its own usage, and its signing in to the platform's pages. Each has a type of its own, so
none passes for another."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from xinyidai.delegation import Delegation, parse_delegation
from xinyidai.identifiers import IdentifierError, Uscc, parse_bank_id, parse_uscc
from xinyidai.requests import Stamp, parse_stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey

KEY_REGISTRATION_TYPE: Final = "key-registration+jwt"
STATEMENT_TYPE: Final = "statement+jwt"
ACCESS_TYPE: Final = "access+jwt"
SIGN_IN_TYPE: Final = "sign-in+jwt"
MAX_BUDGET_CENTIBITS: Final = 100_000
MAX_SEALED_CHARACTERS: Final = 8_192


class Action(StrEnum):
    REVOKE = "revoke"
    PAUSE = "pause"
    RESUME = "resume"
    SET_BUDGET = "set_budget"
    DISPUTE = "dispute"
    """The enterprise says that a record about it is wrong."""
    WITHDRAW_DISPUTE = "withdraw_dispute"
    REJECT_REQUEST = "reject_request"
    """The enterprise declines a bank's request for an authorization."""
    RECONFIRM = "reconfirm"
    """The enterprise says that a long authorization is still meant."""
    DELEGATE = "delegate"
    """Somebody else may sign in the enterprise's place, for the powers named."""
    END_DELEGATION = "end_delegation"


_NEEDS: Final = {
    Action.REVOKE: "authorization",
    Action.PAUSE: "authorization",
    Action.RESUME: "authorization",
    Action.RECONFIRM: "authorization",
    Action.SET_BUDGET: "centibits",
    Action.DISPUTE: "record",
    Action.WITHDRAW_DISPUTE: "record",
    Action.REJECT_REQUEST: "request",
    Action.DELEGATE: "delegation",
    Action.END_DELEGATION: "delegate",
}
"""The one member that says what an action is about."""
_THUMBPRINT: Final = 43


@dataclass(frozen=True, slots=True)
class Statement:
    stamp: Stamp
    enterprise: Uscc
    action: Action
    authorization: str | None = None
    """Hex digest of the authorization to revoke, pause or resume."""
    bank: str | None = None
    """set_budget: the bank whose budget is set; None: the budget over all banks."""
    centibits: int | None = None
    """set_budget: the new budget, 0..100000 hundredths of a bit."""
    record: str | None = None
    """dispute, withdraw_dispute: an `Objection` or `RecordName`, encrypted to the enclave, so that no relay learns
    which record."""
    request: str | None = None
    """reject_request: hex digest of the bank's request."""
    delegation: Delegation | None = None
    delegate: str | None = None
    """end_delegation: RFC 7638 thumbprint of the delegate's key."""

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {**self.stamp.claims(), "sub": self.enterprise, "action": str(self.action)}
        optional = {
            "authorization": self.authorization,
            "client_id": self.bank,
            "centibits": self.centibits,
            "record": self.record,
            "request": self.request,
            "delegation": self.delegation and self.delegation.claims(),
            "delegate": self.delegate,
        }
        members.update({name: value for name, value in optional.items() if value is not None})
        return key.sign(members, STATEMENT_TYPE)


def parse_statement(claims: Claims) -> Statement:
    """Raises `DocumentMalformed`."""
    about = set(_NEEDS.values())
    claims.only(*Stamp.MEMBERS, "sub", "action", "client_id", *sorted(about))
    try:
        action = Action(claims.text("action"))
    except ValueError as error:
        raise DocumentMalformed("action is one of: " + ", ".join(Action)) from error
    if about & set(claims.members) != {_NEEDS[action]}:
        raise DocumentMalformed(f"{action} names its {_NEEDS[action]}, and nothing else of: {', '.join(sorted(about))}")
    setting = action is Action.SET_BUDGET
    if "client_id" in claims.members and not setting:
        raise DocumentMalformed("client_id belongs to set_budget")
    return Statement(
        stamp=parse_stamp(claims),
        enterprise=_subject(claims),
        action=action,
        authorization=claims.digest("authorization") if "authorization" in claims.members else None,
        bank=_bank(claims) if "client_id" in claims.members else None,
        centibits=claims.integer("centibits", 0, MAX_BUDGET_CENTIBITS) if setting else None,
        record=claims.optional_text("record", most=MAX_SEALED_CHARACTERS),
        request=claims.digest("request") if "request" in claims.members else None,
        delegation=_delegation(claims) if action is Action.DELEGATE else None,
        delegate=claims.optional_text("delegate", most=_THUMBPRINT),
    )


@dataclass(frozen=True, slots=True)
class Access:
    """Proof that the holder of the enterprise's key asks to read the enterprise's own usage, now."""

    stamp: Stamp
    enterprise: Uscc

    def sign(self, key: SigningKey) -> str:
        return key.sign({**self.stamp.claims(), "sub": self.enterprise}, ACCESS_TYPE)


def parse_access(claims: Claims) -> Access:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sub")
    return Access(parse_stamp(claims), _subject(claims))


@dataclass(frozen=True, slots=True)
class SignIn:
    """Proof towards the platform's pages. The audience is the pages' host and the nonce the platform's challenge, so
    that it opens nothing at an enclave and nothing on another site."""

    stamp: Stamp
    enterprise: Uscc

    def sign(self, key: SigningKey) -> str:
        return key.sign({**self.stamp.claims(), "sub": self.enterprise}, SIGN_IN_TYPE, with_chain=True)


def parse_sign_in(claims: Claims) -> SignIn:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sub")
    return SignIn(parse_stamp(claims), _subject(claims))


@dataclass(frozen=True, slots=True)
class KeyRegistration:
    """Signed by the key being registered; the registrar's certificate in x5c binds that key to the USCC."""

    stamp: Stamp
    enterprise: Uscc

    def sign(self, key: SigningKey) -> str:
        return key.sign({**self.stamp.claims(), "sub": self.enterprise}, KEY_REGISTRATION_TYPE, with_chain=True)


def parse_key_registration(claims: Claims) -> KeyRegistration:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sub")
    return KeyRegistration(parse_stamp(claims), _subject(claims))


def _delegation(claims: Claims) -> Delegation:
    value = claims.members["delegation"]
    if not isinstance(value, dict):
        raise DocumentMalformed("member delegation must be an object")
    return parse_delegation(Claims(value))


def _bank(claims: Claims) -> str:
    try:
        return parse_bank_id(claims.text("client_id"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error


def _subject(claims: Claims) -> Uscc:
    try:
        enterprise = parse_uscc(claims.text("sub"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    if claims.text("iss") != enterprise:
        raise DocumentMalformed("issuer and subject must be the same enterprise")
    return enterprise
