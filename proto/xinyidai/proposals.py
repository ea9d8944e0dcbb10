"""A bank's request for an authorization: what it proposes, signed with its certificate. It grants nothing.

The enterprise accepts by signing an authorization that names the request, as it is or narrower, or rejects it by a
signed statement. A narrower authorization can also take the place of one that is in force.
"""

from dataclasses import dataclass
from typing import Any, Final

from xinyidai.authorization import Authorization, Disclosure
from xinyidai.identifiers import IdentifierError, Uscc, parse_uscc
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.requests import Stamp, parse_stamp
from xinyidai.signing import Claims, DocumentError, DocumentMalformed, SigningKey, signed_digest

PROPOSAL_TYPE: Final = "authorization-request+jwt"
MAX_PENDING_DAYS: Final = 30
MAX_VALID_DAYS: Final = 10 * 366
_MEMBERS: Final = (
    "sub", "categories", "purpose", "purpose_version", "disclosure", "precision_points", "max_assessments",
    "valid_days", "catalogue", "catalogue_digest", "respond_by", "term_end",
)  # fmt: skip


class WiderThanAllowed(DocumentError):
    """An authorization goes beyond the request it accepts, or the authorization it replaces. Grant no more than
    that."""

    reason = Reason.AUTHORIZATION_WIDER


@dataclass(frozen=True, slots=True)
class Proposal:
    stamp: Stamp
    enterprise: Uscc
    categories: tuple[str, ...]
    """Category codes in catalogue order."""
    purpose: str
    purpose_version: int
    disclosure: Disclosure
    precision_points: int
    max_assessments: int
    valid_days: int
    """How long the authorization would be valid from the moment it is given."""
    catalogue: str
    catalogue_digest: str
    respond_by: int
    """Seconds since 1970-01-01 UTC; at most 30 days after the request."""
    term_end: int | None = None
    """End of the loan, where the purpose needs one."""

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {
            **self.stamp.claims(),
            "sub": self.enterprise,
            "categories": list(self.categories),
            "purpose": self.purpose,
            "purpose_version": self.purpose_version,
            "disclosure": str(self.disclosure),
            "precision_points": self.precision_points,
            "max_assessments": self.max_assessments,
            "valid_days": self.valid_days,
            "catalogue": self.catalogue,
            "catalogue_digest": self.catalogue_digest,
            "respond_by": self.respond_by,
        }
        if self.term_end is not None:
            members["term_end"] = self.term_end
        return key.sign(members, PROPOSAL_TYPE, with_chain=True)


def parse_proposal(claims: Claims) -> Proposal:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, *_MEMBERS)
    try:
        enterprise = parse_uscc(claims.text("sub"))
        disclosure = Disclosure(claims.text("disclosure"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    except ValueError as error:
        if isinstance(error, DocumentMalformed):
            raise
        raise DocumentMalformed("disclosure is total or by_category") from error
    proposal = Proposal(
        stamp=parse_stamp(claims),
        enterprise=enterprise,
        categories=claims.texts("categories", most=256, each=64),
        purpose=claims.text("purpose", most=64),
        purpose_version=claims.integer("purpose_version", 1, 1_000_000),
        disclosure=disclosure,
        precision_points=claims.integer("precision_points", 0, LINEAR_4096_T1024.max_precision_points),
        max_assessments=claims.integer("max_assessments", 1, 10_000),
        valid_days=claims.integer("valid_days", 1, MAX_VALID_DAYS),
        catalogue=claims.text("catalogue", most=128),
        catalogue_digest=claims.digest("catalogue_digest"),
        respond_by=claims.instant("respond_by"),
        term_end=claims.instant("term_end") if "term_end" in claims.members else None,
    )
    if not 0 < proposal.respond_by - proposal.stamp.issued_at <= MAX_PENDING_DAYS * DAY_SECONDS:
        raise DocumentMalformed(f"a request waits for its answer for at most {MAX_PENDING_DAYS} days")
    return proposal


def proposal_digest(raw: str) -> str:
    """Hex SHA-256 of its signing input: how an acceptance or rejection names a request."""
    return signed_digest(raw)


def check_within_proposal(grant: Authorization, proposal: Proposal, bank: str, certificate: str) -> None:
    """That an authorization gives no more than a bank asked for. `bank`, `certificate`: who signed the request.

    Raises `WiderThanAllowed`.
    """
    _same(
        (grant.enterprise, grant.bank, grant.bank_certificate, grant.purpose, grant.purpose_version),
        (proposal.enterprise, bank, certificate, proposal.purpose, proposal.purpose_version),
        "is for another enterprise, bank, certificate or purpose than the request",
    )
    _same(
        (grant.disclosure, grant.catalogue_digest),
        (proposal.disclosure, proposal.catalogue_digest),
        "discloses otherwise, or on another catalogue, than the request",
    )
    _subset(grant.categories, proposal.categories, "category")
    _at_most(proposal.precision_points, grant.precision_points, "it is finer than the request")
    _at_most(grant.max_assessments, proposal.max_assessments, "it allows more assessments than the request")
    _at_most(grant.expires_at - grant.not_before, proposal.valid_days * DAY_SECONDS, "it is valid for longer")
    _same_or_earlier(grant.term_end, proposal.term_end)


def check_narrower(child: Authorization, parent: Authorization, assessments_left: int) -> None:
    """That an authorization gives no more than the one it replaces still would. Raises `WiderThanAllowed`."""
    _same(
        (child.enterprise, child.bank, child.bank_certificate, child.purpose, child.purpose_version),
        (parent.enterprise, parent.bank, parent.bank_certificate, parent.purpose, parent.purpose_version),
        "is for another enterprise, bank, certificate or purpose than the one it replaces",
    )
    _same(
        (child.disclosure, child.catalogue_digest, child.demand),
        (parent.disclosure, parent.catalogue_digest, parent.demand),
        "discloses otherwise, on another catalogue, or for another demand than the one it replaces",
    )
    _subset(child.categories, parent.categories, "category")
    _subset(child.enclaves, parent.enclaves, "enclave")
    _at_most(parent.precision_points, child.precision_points, "it is finer than the one it replaces")
    _at_most(child.max_assessments, assessments_left, "it allows more assessments than are left")
    _at_most(child.expires_at, parent.expires_at, "it ends later")
    _at_most(parent.not_before, child.not_before, "it begins earlier")
    _same_or_earlier(child.term_end, parent.term_end)


def _same(found: object, wanted: object, problem: str) -> None:
    if found != wanted:
        raise WiderThanAllowed(f"the authorization {problem}; grant the same or less")


def _subset(found: tuple[str, ...], allowed: tuple[str, ...], what: str) -> None:
    if not set(found) <= set(allowed):
        raise WiderThanAllowed(f"the authorization names a {what} that is not allowed; grant the same or less")


def _at_most(found: int, most: int, problem: str) -> None:
    if found > most:
        raise WiderThanAllowed(f"the authorization goes too far: {problem}; grant the same or less")


def _same_or_earlier(found: int | None, allowed: int | None) -> None:
    if (found is None) != (allowed is None) or (found or 0) > (allowed or 0):
        raise WiderThanAllowed("the authorization names another end of the loan; grant the same or less")
