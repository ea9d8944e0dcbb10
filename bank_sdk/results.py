"""What the client returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from xinyidai.authorization import Authorization, authorization_digest, read_unverified_authorization
from xinyidai.v1 import authorization_pb2

STATES = MappingProxyType(
    {
        authorization_pb2.AUTHORIZATION_STATE_ACTIVE: "active",
        authorization_pb2.AUTHORIZATION_STATE_PAUSED: "paused",
        authorization_pb2.AUTHORIZATION_STATE_REVOKED: "revoked",
        authorization_pb2.AUTHORIZATION_STATE_EXPIRED: "expired",
    }
)


@dataclass(frozen=True, slots=True)
class ScoreInterval:
    """The score lies in low..high, both included; nothing finer was disclosed."""

    low: int
    high: int


Score = int | ScoreInterval


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    model_id: str
    parameter_set: str
    catalogue: str
    registered_at: int
    """Seconds since 1970-01-01 UTC."""
    name: str | None
    """The scorecard's name; None when this key store has no key for the model, so its answers cannot be read here."""
    scorecard_digest: str | None
    receipt: str = field(default="", repr=False)
    """Compact JWS of the enclave; empty when this key store has none."""


@dataclass(frozen=True, slots=True)
class GrantedAuthorization:
    """An authorization as the service lists it. The enclave is the judge of its signature and state, not this."""

    token: str = field(repr=False)
    """Compact JWS, exactly as the enterprise signed it."""
    terms: Authorization
    state: str
    """active, paused, revoked or expired; "unknown" when made from a token alone."""
    assessments: int
    """Made under it so far, as far as the service says."""
    renewal_due: bool = False
    """In force, and ends within 30 days, as far as the service says."""
    status_index: int | None = None
    """Where its state is published, in the status list `status_uri`; see `StatusList`."""
    status_uri: str | None = None

    @classmethod
    def from_token(cls, token: str) -> "GrantedAuthorization":
        """From the JWS alone. Raises `xinyidai.signing.DocumentMalformed`."""
        return cls(token, read_unverified_authorization(token), "unknown", 0)

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the token: how requests and receipts name it."""
        return authorization_digest(self.token)


@dataclass(frozen=True, slots=True)
class AssessmentResult:
    """One verified and decrypted answer."""

    enterprise: str
    model_id: str
    authorization: str
    """Hex digest of the authorization's compact JWS."""
    score: Score
    """An int when the precision is 0, else an interval. By category: the total of the parts."""
    categories: Mapping[str, Score]
    """By category: what each authorized category adds, base points apart; empty for a total."""
    precision_points: int
    assessment_id: str
    as_of: date
    """Month end the records were read for."""
    snapshot: str
    charged_at: int
    """Seconds since 1970-01-01 UTC."""
    centibits: int
    """Hundredths of a bit that were charged for this answer when it was made."""
    repeated: bool
    """An earlier answer to the same question, returned free of charge."""
    receipt: str = field(repr=False)
    """Compact JWS of the enclave: keep it; it proves what was asked and answered."""

    @property
    def interval(self) -> ScoreInterval:
        return self.score if isinstance(self.score, ScoreInterval) else ScoreInterval(self.score, self.score)

    @property
    def centibits_charged(self) -> int:
        """Charged for this call: 0 for a repeat."""
        return 0 if self.repeated else self.centibits
