"""What travels over REST. Field names are those of the protos; unknown fields are refused."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_TOKEN = 16 * 1024
_EXAMPLE = "eyJhbGciOiJFZDI1NTE5IiwidHlwIjoi….eyJpc3MiOiI5MTMyMDcwM01BMD….c2lnbmF0dXJl"
_USCC = "91320703MA00000010"
_DIGEST = "0f7ab5f0c3c1d7b4f0a1c0b8a6f2f1d09bbd7f5c1c6f0f0f4e4a3b2c1d0e9f88"
_THUMBPRINT = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
StateName = Literal["active", "paused", "revoked", "expired"]


def _jws(kind: str) -> Any:
    return Field(
        min_length=1,
        max_length=MAX_TOKEN,
        description=f"Compact JWS of type `{kind}`, signed by the enterprise's key.",
        examples=[_EXAMPLE],
    )


def _text(description: str, example: str) -> Any:
    return Field(description=description, examples=[example])


def _number(description: str, example: int) -> Any:
    return Field(description=description, examples=[example])


_ACKNOWLEDGEMENT = "Compact JWS of type `acknowledgement+jwt`: the enclave's word that it was carried out."
StatusIndex = Annotated[int | None, _number("Where its state is published, in the list of that name.", 4711)]
StatusUri = Annotated[str | None, _text("Name of a status list.", "urn:xinyidai:status-list:lianyungang-1:1")]
Digest = Annotated[str, _text("Hex SHA-256 of the authorization's compact JWS.", _DIGEST)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeyRegistration(Strict):
    registration: Annotated[str, _jws("key-registration+jwt")]


class RegisteredKey(Strict):
    enterprise: Annotated[str, _text("Unified social credit code.", _USCC)]
    key_thumbprint: Annotated[str, _text("RFC 7638, base64url of SHA-256.", _THUMBPRINT)]


class NewAuthorization(Strict):
    authorization: Annotated[str, _jws("authz+jwt")]


class AcceptedAuthorization(Strict):
    digest: Digest
    state: StateName
    acknowledgement: Annotated[str, _text(_ACKNOWLEDGEMENT, _EXAMPLE)]
    status_index: StatusIndex
    status_uri: StatusUri


class NewStatement(Strict):
    statement: Annotated[str, _jws("statement+jwt")]


class CarriedOut(Strict):
    state: StateName | None = Field(description="Of the authorization the statement names; null where it names none.")
    acknowledgement: Annotated[str, _text(_ACKNOWLEDGEMENT, _EXAMPLE)]


class AuthorizationEntry(Strict):
    authorization: Annotated[str, _text("Compact JWS, exactly as the enterprise signed it.", _EXAMPLE)]
    state: StateName
    assessments: Annotated[int, _number("Assessments made under it so far.", 3)]
    signed_by: Annotated[str, _text("Masked name of the delegate who signed it; empty: the enterprise itself.", "王*")]
    renewal_due: bool = Field(description="It is in force and ends within 30 days.")
    reconfirm_due: bool = Field(description="For monitoring, and given or reconfirmed more than 90 days ago.")
    status_index: StatusIndex
    status_uri: StatusUri


class AuthorizationList(Strict):
    authorizations: tuple[AuthorizationEntry, ...]


class LogProof(Strict):
    """Where a document stands in the log; see docs/transparency.md."""

    salt: Annotated[str, _text("32 bytes in hex.", _DIGEST)]
    index: Annotated[int, _number("Number of the entry, from 0.", 1203)]
    path: tuple[str, ...] = Field(description="RFC 9162, 2.1.3; hex SHA-256 each, leaf to root.")


class Usage(Strict):
    assessment_id: str
    bank_id: str
    authorization_digest: Digest
    purpose: str
    model_id: str
    charged_at: Annotated[int, _number("Seconds since 1970-01-01 UTC.", 1_793_500_000)]
    centibits: Annotated[int, _number("Hundredths of a bit: the cap on what the bank could learn.", 1004)]
    receipt: Annotated[str, _text("Compact JWS of type `receipt+jwt`; empty while computing.", _EXAMPLE)]
    repeats: Annotated[int, _number("How often the stored answer was returned again, free of charge.", 0)]
    proof: LogProof | None = Field(description="Of the receipt in the log; null until the next checkpoint.")


class Budget(Strict):
    bank_id: Annotated[str, _text("Empty: all banks together.", "icbc-lyg")]
    limit_centibits: Annotated[int, _number("Hundredths of a bit.", 3200)]
    spent_centibits: Annotated[int, _number("Hundredths of a bit.", 1004)]
    window_start: Annotated[int, _number("Spending counts from here, seconds since 1970-01-01 UTC.", 1_762_000_000)]


class UsagePage(Strict):
    usages: tuple[Usage, ...]
    budgets: tuple[Budget, ...]
    authorizations: tuple[AuthorizationEntry, ...]
    checkpoint: Annotated[str, _text("Compact JWS of type `checkpoint+jwt`: what the proofs lead to.", _EXAMPLE)]
    next_page_token: Annotated[str, _text("Empty on the last page. Each page needs a new access token.", "1203")]


class CatalogueDocument(Strict):
    reference: Annotated[str, _text("code@version", "lianyungang@1")]
    digest: Annotated[str, _text("Hex SHA-256 of the document in canonical JSON.", _DIGEST)]
    document: dict[str, Any] = Field(description="Categories, record fields, features and cells; sent canonically.")


class BankEntry(Strict):
    id: Annotated[str, _text("Bank id.", "icbc-lyg")]
    name_zh: Annotated[str, _text("Name in Chinese.", "连云港示范银行")]
    name_en: Annotated[str, _text("Name in English.", "Lianyungang Example Bank")]
    certificate_thumbprint: Annotated[str, _text("x5t#S256 (RFC 8705): what an authorization binds to.", _THUMBPRINT)]


class BankDirectory(Strict):
    banks: tuple[BankEntry, ...]


class EnclaveEntry(Strict):
    id: Annotated[str, _text("Enclave id, for `aud`.", "lianyungang-1")]
    available: bool
    catalogue: str | None = Field(description="code@version; null while unavailable, like what follows.")
    as_of: str | None = Field(description="Month end the records were loaded for, ISO 8601.")
    receipt_certificate: str | None = Field(description="PEM chain of the key that signs receipts, leaf first.")


class EnclaveDirectory(Strict):
    enclaves: tuple[EnclaveEntry, ...]


class Health(Strict):
    status: Literal["ok"] = "ok"


class NewLineageRequest(Strict):
    request: Annotated[str, _jws("lineage-request+jwt")]


class NewOwnRecordsRequest(Strict):
    request: Annotated[str, _jws("own-records-request+jwt")]


class SealedAnswer(Strict):
    answer: str = Field(description="Compact JWE to the key in the request; always of the same length.")


class QualityCell(Strict):
    category: Annotated[str, _text("Category code.", "tax_payment")]
    source: Annotated[str, _text("Department; empty for all together.", "SWJ")]
    month: Annotated[int, _number("yyyymm; 0 for all months of the board together.", 202610)]
    rows: Annotated[int, _number("Records, rounded to a multiple of the least cohort.", 1250)]
    enterprises: Annotated[int, _number("Enterprises, rounded likewise.", 480)]
    shares: dict[str, float] = Field(description="Measure to 0..1; absent where it does not apply.")


class QualityBoard(Strict):
    snapshot: str
    as_of: Annotated[str, _text("Month end, ISO 8601.", "2026-10-31")]
    least_enterprises: Annotated[int, _number("No cell is over fewer.", 5)]
    cells: tuple[QualityCell, ...]
