"""The operator's commands besides `serve`. Each is one transaction and one line in the audit."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from xinyidai.identifiers import BankId, parse_bank_id, parse_department_id
from xinyidai.identity import Role, TrustAnchor, load_chain, thumbprint

from server.accounts.events import AccountNote, note
from server.accounts.models import AccountEventKind, AccountRole
from server.accounts.rules import AccountRules
from server.accounts.sessions import close_sessions_of
from server.accounts.staff import add_staff, disable_staff
from server.audit.models import Kind
from server.audit.service import OK, Event, append
from server.banks.errors import CertificateInUse
from server.banks.service import Registration, register_bank, remove_bank
from server.db import Database, check_schema
from server.events.service import set_endpoint
from server.objections.service import overview
from server.settings import ServerSettings

Clock = Callable[[], int]


def now() -> int:
    """Seconds since 1970-01-01 UTC."""
    return int(time.time())


def open_database(settings: ServerSettings) -> Database:
    """To be closed. Raises `SchemaOutdated`."""
    database = Database(settings.database_url.get_secret_value())
    with database.engine.connect() as connection:
        check_schema(connection)
    return database


def add_bank(
    settings: ServerSettings,
    raw_id: str,
    name_zh: str,
    name_en: str,
    certificate: Path,
    events_url: str | None = None,
    clock: Clock = now,
) -> BankId:
    """Register a bank by its certificate (PEM chain, leaf first), and the address its events are pushed to, if any; one
    that was given before stays. Raises `ValueError`, `Refused`, `SchemaOutdated`."""
    bank = parse_bank_id(raw_id)
    for name in (name_zh, name_en):
        if not 1 <= len(name.strip()) <= 128:
            raise ValueError("名称为 1 至 128 个字符 / a name has 1 to 128 characters")
    chain = load_chain(certificate.read_bytes())
    identity = TrustAnchor.from_pem(Role.BANK, settings.banks_ca.read_bytes()).verify(chain)
    if identity.name != bank:
        raise CertificateInUse("证书属于另一家银行 / the certificate names another bank")
    registration = Registration(bank, name_zh.strip(), name_en.strip(), thumbprint(chain[0]))
    database = open_database(settings)
    try:
        with database.transaction("add bank") as session:
            register_bank(session, registration, clock())
            append(session, [Event(Kind.ADD_BANK, OK, bank=bank)], clock())
            if events_url is not None:
                set_endpoint(session, bank, events_url, clock())
                append(session, [Event(Kind.SET_EVENTS_URL, OK, bank=bank)], clock())
    finally:
        database.close()
    return bank


def drop_bank(settings: ServerSettings, raw_id: str, clock: Clock = now) -> BankId:
    """The bank is refused from its next call on. Raises `ValueError`, `Refused`, `SchemaOutdated`."""
    bank = parse_bank_id(raw_id)
    database = open_database(settings)
    try:
        with database.transaction("remove bank") as session:
            remove_bank(session, bank)
            append(session, [Event(Kind.REMOVE_BANK, OK, bank=bank)], clock())
    finally:
        database.close()
    return bank


def objections(settings: ServerSettings, operator: str, clock: Clock = now) -> str:
    """JSON: objections by stage, how many were decided in time, and the late ones by id. Who looks is recorded.

    Raises `Refused`, `SchemaOutdated`."""
    database = open_database(settings)
    try:
        with database.transaction("look at objections") as session:
            found = overview(session, operator, clock())
    finally:
        database.close()
    late = [
        {"objection_id": one.objection_id, "state": one.state, "decide_by": one.decide_by, "cap_at": one.cap_at}
        for one in found.late
    ]
    numbers = {"counts": found.counts, "decided_in_time": found.decided_in_time, "decided_late": found.decided_late}
    return json.dumps({**numbers, "late": late}, indent=1)


def add_staff_member(settings: ServerSettings, role: AccountRole, raw_id: str, name: str, clock: Clock = now) -> str:
    """Add an operator or a department's account, or give one a new code; returns the enrolment code, which is kept
    nowhere. Raises `ValueError`, `SchemaOutdated`."""
    staff_id = parse_department_id(raw_id)
    if not 1 <= len(name.strip()) <= 128:
        raise ValueError("姓名为 1 至 128 个字符 / a name has 1 to 128 characters")
    database = open_database(settings)
    try:
        with database.transaction("add staff") as session:
            code = add_staff(session, role, staff_id, name.strip(), clock(), AccountRules())
            note(session, AccountNote(AccountEventKind.ADD_STAFF, role, staff_id), clock())
    finally:
        database.close()
    return code


def drop_staff_member(settings: ServerSettings, role: AccountRole, raw_id: str, clock: Clock = now) -> None:
    """The account may not sign in again, and its sessions end. Raises `ValueError`, `SchemaOutdated`."""
    staff_id = parse_department_id(raw_id)
    database = open_database(settings)
    try:
        with database.transaction("remove staff") as session:
            if not disable_staff(session, role, staff_id):
                raise ValueError("没有这个账户 / no such account")
            close_sessions_of(session, role, staff_id)
            note(session, AccountNote(AccountEventKind.REMOVE_STAFF, role, staff_id), clock())
    finally:
        database.close()
