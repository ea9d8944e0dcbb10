"""A bank's watch on one enterprise, and the alerts made under it."""

from dataclasses import dataclass
from typing import Any, Final

from xinyidai.alerts.rules import MOST_NAMED, Level
from xinyidai.confidential import SealingKey
from xinyidai.identifiers import BankId, EnclaveId, Uscc
from xinyidai.parties import bank_of, enclave_of, enterprise_of, key_of
from xinyidai.requests import Stamp, parse_stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey

WATCH_TYPE: Final = "watch+jwt"
ALERT_TYPE: Final = "alert+jwt"
ALERT_BYTES: Final = 24 * 1024
"""Every alert has this length before it is encrypted; most of it is the enclave's certificates."""
PURPOSE: Final = "post_loan_monitoring"
"""Of the authorization a watch rests on."""


@dataclass(frozen=True, slots=True, eq=False)
class WatchOrder:
    """A bank wants alerts under an authorization, sealed to `reader`; without one, it wants them no longer. Signed with
    its certificate."""

    stamp: Stamp
    enterprise: Uscc
    authorization: str
    """Hex digest of the authorization."""
    reader: SealingKey | None

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {"sub": self.enterprise, "authorization": self.authorization}
        if self.reader is not None:
            members["reader"] = self.reader.claims()
        return key.sign({**self.stamp.claims(), **members}, WATCH_TYPE, with_chain=True)


def parse_watch(claims: Claims) -> WatchOrder:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sub", "authorization", "reader")
    reader = key_of(claims, "reader") if "reader" in claims.members else None
    return WatchOrder(parse_stamp(claims), enterprise_of(claims), claims.digest("authorization"), reader)


@dataclass(frozen=True, slots=True)
class Alert:
    """What one check of one watch found. One is made at each check, also when nothing was found."""

    enclave: EnclaveId
    alert_id: str
    bank: BankId
    enterprise: Uscc
    authorization: str
    number: int
    """Of this watch, from 1, without gaps."""
    made_at: int
    snapshot: str
    as_of: str
    catalogue: str
    catalogue_digest: str
    rule_set: str
    rule_set_digest: str
    level: Level
    rules: tuple[str, ...]
    """The gravest rules met, where the authorization discloses by category."""
    centibits: int

    def seal(self, key: SigningKey, reader: SealingKey) -> str:
        """Sign, and encrypt to the bank. Raises `ValueError` when it does not fit."""
        members: dict[str, Any] = {
            "iss": self.enclave, "jti": self.alert_id, "client_id": self.bank, "sub": self.enterprise,
            "authorization": self.authorization, "number": self.number, "iat": self.made_at,
            "snapshot": self.snapshot, "as_of": self.as_of, "catalogue": self.catalogue,
            "catalogue_digest": self.catalogue_digest, "rule_set": self.rule_set,
            "rule_set_digest": self.rule_set_digest, "level": str(self.level), "centibits": self.centibits,
        }  # fmt: skip
        if self.rules:
            members["rules"] = list(self.rules)
        return reader.seal(key.sign(members, ALERT_TYPE, with_chain=True).encode(), ALERT_BYTES)


def parse_alert(claims: Claims) -> Alert:
    """Raises `DocumentMalformed`."""
    claims.only(
        "iss", "jti", "client_id", "sub", "authorization", "number", "iat", "snapshot", "as_of", "catalogue",
        "catalogue_digest", "rule_set", "rule_set_digest", "level", "centibits", "rules",
    )  # fmt: skip
    try:
        level = Level(claims.text("level", most=16))
    except DocumentMalformed:
        raise
    except ValueError as error:
        raise DocumentMalformed("level is one of: " + ", ".join(Level)) from error
    return Alert(
        enclave=enclave_of(claims),
        alert_id=claims.text("jti", most=64),
        bank=bank_of(claims.text("client_id")),
        enterprise=enterprise_of(claims),
        authorization=claims.digest("authorization"),
        number=claims.integer("number", 1, 1 << 31),
        made_at=claims.instant("iat"),
        snapshot=claims.text("snapshot", most=64),
        as_of=claims.text("as_of", most=10),
        catalogue=claims.text("catalogue", most=128),
        catalogue_digest=claims.digest("catalogue_digest"),
        rule_set=claims.text("rule_set", most=128),
        rule_set_digest=claims.digest("rule_set_digest"),
        level=level,
        rules=claims.texts("rules", most=MOST_NAMED, each=64) if "rules" in claims.members else (),
        centibits=claims.integer("centibits", 0, 1 << 30),
    )
