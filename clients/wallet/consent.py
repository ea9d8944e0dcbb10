"""The wallet's part in the life of authorizations: banks' requests, narrowing, delegates, and what became of
objections."""

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from xinyidai.authorization import Authorization
from xinyidai.confidential import OpeningKey
from xinyidai.delegation import Delegation, Power
from xinyidai.disputes import OBJECTIONS_TYPE, ObjectionEntry, ObjectionsRequest, parse_objections
from xinyidai.identifiers import Uscc, parse_bank_id
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.proposals import Proposal, parse_proposal, proposal_digest
from xinyidai.purposes import DAY_SECONDS
from xinyidai.requests import Stamp
from xinyidai.signing import VerifyingKey, read_unverified
from xinyidai.statements import Action, Statement

from clients.wallet.platform import Platform, WalletError

_DRAFT: Final = ""


@dataclass(frozen=True, slots=True)
class BankRequest:
    """What a bank asks for. Who signed it is checked by the enclave when it is accepted, not here."""

    digest: str
    bank: str
    certificate: str
    """x5t#S256 of the certificate it was signed with."""
    terms: Proposal


class Holder(Protocol):
    """What of the wallet is needed here."""

    enterprise: Uscc

    def stamp(self) -> Stamp: ...

    def access(self) -> str: ...

    def banks(self) -> list[dict[str, Any]]: ...

    def authorizations(self) -> list[dict[str, Any]]: ...

    def submit(self, statement: Statement, *states: str) -> None: ...


class WalletConsent:
    """Every method raises `WalletError` or `DocumentError`. Drafts are shown with `Wallet.notice` and signed with
    `Wallet.authorize`, like any other."""

    def __init__(
        self,
        holder: Holder,
        platform: Platform,
        enclaves: TrustAnchor,
        sign: Callable[[Any], str],
        clock: Callable[[], float],
    ) -> None:
        """`sign`: signs a document that has a method `sign(key)`."""
        self._holder, self._platform, self._enclaves = holder, platform, enclaves
        self._sign, self._clock = sign, clock

    def requests(self) -> list[BankRequest]:
        """What banks ask for and nobody has answered yet, newest first."""
        found = []
        for token in self._platform.get("/v1/authorization-requests", access=self._holder.access())["requests"]:
            terms = parse_proposal(read_unverified(token))
            bank = next((b for b in self._holder.banks() if b["id"] == terms.stamp.issuer), None)
            if terms.enterprise != self._holder.enterprise or bank is None:
                raise WalletError(
                    "平台给出的授权请求有误 / the platform shows a request that is not for this enterprise"
                )
            digest, certificate = proposal_digest(token), str(bank["certificate_thumbprint"])
            found.append(BankRequest(digest, terms.stamp.issuer, certificate, terms))
        return found

    def accept_draft(
        self,
        request: BankRequest,
        *,
        categories: Collection[str] = (),
        max_assessments: int | None = None,
        days: int | None = None,
        precision_points: int | None = None,
    ) -> Authorization:
        """The authorization that accepts a request, as it is or narrower; what is not named is as the bank asked."""
        terms, now = request.terms, int(self._clock())
        expires = now + min(days or terms.valid_days, terms.valid_days) * DAY_SECONDS
        return Authorization(
            enterprise=self._holder.enterprise,
            enclaves=terms.stamp.audience,
            authorization_id=secrets.token_urlsafe(24),
            issued_at=now,
            not_before=now,
            expires_at=expires if terms.term_end is None else min(expires, terms.term_end),
            bank=parse_bank_id(request.bank),
            bank_certificate=request.certificate,
            notice_hash=_DRAFT,
            categories=_chosen(terms.categories, categories),
            purpose=terms.purpose,
            purpose_version=terms.purpose_version,
            disclosure=terms.disclosure,
            precision_points=max(precision_points or 0, terms.precision_points),
            max_assessments=min(max_assessments or terms.max_assessments, terms.max_assessments),
            catalogue=terms.catalogue,
            catalogue_digest=terms.catalogue_digest,
            term_end=terms.term_end,
            request=request.digest,
        )

    def reject(self, request: BankRequest | str) -> None:
        digest = request if isinstance(request, str) else request.digest
        self._state(Action.REJECT_REQUEST, request=digest)

    def narrow_draft(
        self,
        digest: str,
        *,
        categories: Collection[str] = (),
        max_assessments: int | None = None,
        days: int | None = None,
        precision_points: int | None = None,
    ) -> Authorization:
        """A narrower authorization in place of one in force, which ends at the same moment. `days`: from now."""
        entry = next((one for one in self._holder.authorizations() if one["digest"] == digest), None)
        if entry is None or entry["state"] not in ("active", "paused"):
            raise WalletError("没有这项生效的授权 / no such authorization is in force")
        terms: Authorization = entry["terms"]
        now, left = int(self._clock()), terms.max_assessments - int(entry["assessments"])
        if left < 1:
            raise WalletError("该授权的次数已用完 / every assessment it allows has been made")
        expires = terms.expires_at if days is None else min(terms.expires_at, now + days * DAY_SECONDS)
        return replace(
            terms,
            authorization_id=secrets.token_urlsafe(24),
            issued_at=now,
            not_before=max(now, terms.not_before),
            expires_at=expires,
            notice_hash=_DRAFT,
            categories=_chosen(terms.categories, categories),
            precision_points=max(precision_points or 0, terms.precision_points),
            max_assessments=min(max_assessments or left, left),
            parent=digest,
            request=None,
        )

    def reconfirm(self, digest: str) -> None:
        """Say that a long authorization is still meant."""
        self._state(Action.RECONFIRM, authorization=digest)

    def delegate(self, key: VerifyingKey, powers: Sequence[str], days: int, masked_name: str) -> str:
        """Let the holder of a key sign in this enterprise's place; returns the key's thumbprint."""
        given = Delegation(
            key, frozenset(Power(power) for power in powers), int(self._clock()) + days * DAY_SECONDS, masked_name
        )
        self._state(Action.DELEGATE, delegation=given)
        return key.thumbprint

    def end_delegation(self, delegate: str) -> None:
        """At once. `delegate`: the key's thumbprint."""
        self._state(Action.END_DELEGATION, delegate=delegate)

    def delegations(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Delegates, and what they signed, newest first."""
        answer = self._platform.get("/v1/delegations", access=self._holder.access())
        return answer["delegations"], answer["acts"]

    def objections(self) -> list[ObjectionEntry]:
        """Both sides of this enterprise's objections, newest first. Nobody between wallet and enclave can read them."""
        reader = OpeningKey.generate()
        request = ObjectionsRequest(self._holder.stamp(), self._holder.enterprise, reader.public)
        answer = self._platform.post("/v1/objections", request=self._sign(request))
        raw = reader.open(str(answer["answer"])).decode("ascii", "replace")
        signed = verify_with_chain(raw, OBJECTIONS_TYPE, self._enclaves)
        found = parse_objections(signed.claims)
        asked = (signed.identity.name, self._holder.enterprise, request.stamp.nonce)
        if (found.enclave, found.enterprise, found.request) != asked:
            raise WalletError("答复与所问不符 / the answer is not to what was asked")
        return list(found.entries)

    def _state(self, action: Action, **members: Any) -> None:
        self._holder.submit(Statement(self._holder.stamp(), self._holder.enterprise, action, **members))


def _chosen(asked: tuple[str, ...], kept: Collection[str]) -> tuple[str, ...]:
    chosen = tuple(code for code in asked if not kept or code in kept)
    if not chosen:
        raise WalletError("至少保留一类信息 / keep at least one category")
    return chosen
