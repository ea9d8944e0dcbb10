"""The audit table. Triggers of the database refuse to change or delete a row (see the first migration)."""

from enum import StrEnum

from sqlalchemy import BigInteger
from sqlmodel import Field

from server.db.base import BigId, Record


class Kind(StrEnum):
    ADD_BANK = "add_bank"
    REMOVE_BANK = "remove_bank"
    REGISTER_KEY = "register_key"
    REGISTER_MODEL = "register_model"
    SUBMIT_AUTHORIZATION = "submit_authorization"
    SUBMIT_STATEMENT = "submit_statement"
    READ_USAGE = "read_usage"
    READ_LINEAGE = "read_lineage"
    READ_OWN_RECORDS = "read_own_records"
    READ_PROOF = "read_proof"
    ASSESS = "assess"
    PUBLISH_PRODUCT = "publish_product"
    WITHDRAW_PRODUCT = "withdraw_product"
    POST_DEMAND = "post_demand"
    CHANGE_DEMAND = "change_demand"
    WITHDRAW_DEMAND = "withdraw_demand"
    CHOOSE_BANKS = "choose_banks"
    ACCEPT_OFFER = "accept_offer"
    READ_DEMANDS = "read_demands"
    GRAB_DEMAND = "grab_demand"
    DECLINE_DEMAND = "decline_demand"
    MAKE_OFFER = "make_offer"
    WITHDRAW_OFFER = "withdraw_offer"
    FULFIL_DEMAND = "fulfil_demand"
    WHITE_LIST_STATEMENT = "white_list_statement"
    SUBSCRIBE_WHITE_LIST = "subscribe_white_list"
    READ_DISCLOSURES = "read_disclosures"
    SET_WATCH = "set_watch"
    REQUEST_AUTHORIZATION = "request_authorization"
    READ_PROPOSALS = "read_proposals"
    READ_DELEGATIONS = "read_delegations"
    READ_OBJECTIONS = "read_objections"
    ACKNOWLEDGE_EVENTS = "acknowledge_events"
    SET_EVENTS_URL = "set_events_url"
    REGISTER_LOAN = "register_loan"
    REPORT_LOAN = "report_loan"
    CONFIRM_LOAN = "confirm_loan"
    READ_LOANS = "read_loans"
    FILE_LOAN = "file_loan"
    CLAIM_COMPENSATION = "claim_compensation"
    REPORT_RECOVERY = "report_recovery"
    PUBLISH_SCHEME = "publish_scheme"
    CONTRIBUTE = "contribute"
    APPROVE_CLAIM = "approve_claim"
    REJECT_CLAIM = "reject_claim"
    PAY_CLAIM = "pay_claim"
    WRITE_OFF = "write_off"
    RESUME_SCHEME = "resume_scheme"


class AuditEvent(Record, table=True):
    """One thing that passed. What the parties claim stands here even when the enclave refused it: see `outcome`."""

    __tablename__ = "audit_event"

    event_id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    at: int = Field(sa_type=BigInteger, index=True)
    """Seconds since 1970-01-01 UTC."""
    kind: str = Field(max_length=32)
    outcome: str = Field(max_length=64)
    """"OK", "CANCELLED" (nobody waited for the answer), or a reason of xinyidai.reasons."""
    enclave: str | None = Field(default=None, max_length=63)
    bank: str | None = Field(default=None, max_length=63)
    enterprise: str | None = Field(default=None, max_length=18)
    model: str | None = Field(default=None, max_length=64)
    authorization: str | None = Field(default=None, max_length=64)
    """Hex digest."""
    assessment: str | None = Field(default=None, max_length=64)
    """Id from the enclave's receipt."""
