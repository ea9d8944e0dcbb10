"""The ledger: every evaluation is charged, durably, before it is made. It errs towards over-counting.

A question is (authorization, model, disclosure, precision), and the revision of the enterprise's row. Its stored answer
is returned free of charge; anything else is a new assessment, charged in full. A charge whose answer was never stored
(the process died in between) is completed under the same id, with the same mask and hence the same bytes; if the
snapshot or the mask epoch has changed since, or a day has passed, the charge stays and a new one is made.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from xinyidai.authorization import Authorization, Disclosure
from xinyidai.identity import verify_with_chain
from xinyidai.parameters import PARAMETER_SETS, TREES_8192
from xinyidai.purposes import DAY_SECONDS, PURPOSES
from xinyidai.reasons import Reason
from xinyidai.requests import REQUEST_TYPE, AssessmentItem, AssessmentRequest, parse_request, request_digest
from xinyidai.transparency import SALT_BYTES

from enclave.authority.grants import check_usable, known_grant
from enclave.authority.models import parameter_set_of
from enclave.authority.revisions import RowsOutdated, row_in_force
from enclave.authority.store import transaction
from enclave.authority.trust import Trust, spend_nonce
from enclave.errors import Refused
from enclave.transparency.log import append, check_sealed

WINDOW_SECONDS: Final = 365 * DAY_SECONDS
"""Budgets are over the last 12 months."""
RESUME_SECONDS: Final = DAY_SECONDS
"""How long a charge without an answer may still be completed."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A verified request: who asks, in which words."""

    request: AssessmentRequest
    bank: str
    certificate: str
    digest: str


@dataclass(frozen=True, slots=True)
class Present:
    """What an evaluation would use now."""

    snapshot: str
    as_of: str
    epoch: int
    accounted: int = 0
    """Last change of what is left out that the snapshot accounts for."""


@dataclass(frozen=True, slots=True, eq=False)
class Charged:
    """Paid for and to be evaluated (again, if the process died before)."""

    assessment_id: str
    enterprise: str
    bank: str
    authorization: str
    model: str
    parameter_set: str
    disclosure: Disclosure
    precision_points: int
    categories: tuple[str, ...]
    centibits: int
    charged_at: int
    request: str
    revision: str = ""
    """Of the enterprise's row."""
    cells: bytes | None = None
    """The row itself, where it is another than the snapshot's (uint16)."""


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Answered before."""

    receipt: str
    parts: tuple[tuple[str, bytes], ...]
    """(category, frame)."""


def verify_request(trust: Trust, raw: str, now: int, most_items: int) -> Asked:
    """Raises `Refused` or `DocumentError`. Changes nothing."""
    signed = verify_with_chain(raw, REQUEST_TYPE, trust.banks)
    request = parse_request(signed.claims)
    trust.check_stamp(request.stamp, now)
    if request.stamp.issuer != signed.identity.name:
        raise Refused(Reason.CERTIFICATE_INVALID, "the certificate names another bank")
    if len(request.items) > most_items:
        raise Refused(Reason.REQUEST_INVALID, f"at most {most_items} item(s) here; use AssessMany for more")
    return Asked(request, signed.identity.name, signed.thumbprint, request_digest(raw))


def charge(
    connection: sqlite3.Connection,
    trust: Trust,
    asked: Asked,
    present: Present,
    now: int,
    new_id: Callable[[], str],
) -> list[Charged | Stored | Refused]:
    """Spend the nonce and settle every item, in one durable transaction. One entry an item, in order.

    Raises `Refused` when the request as a whole is refused, and `RowsOutdated` when rows have to be computed first;
    then nothing was charged and nothing spent.
    """
    settled: list[Charged | Stored | Refused] = []
    outdated: list[str] = []
    with transaction(connection, "charge assessments"):
        spend_nonce(connection, asked.certificate, asked.request.stamp, now)
        parameter_set = parameter_set_of(connection, asked.request.model, asked.bank, trust.catalogue.digest)
        if asked.request.disclosure is Disclosure.BY_CATEGORY and parameter_set == TREES_8192.name:
            raise Refused(Reason.REQUEST_INVALID, "the score of trees is no sum over categories; ask for the total")
        for item in asked.request.items:
            try:
                settled.append(_settle(connection, trust, asked, item, parameter_set, present, now, new_id))
            except Refused as refusal:
                settled.append(refusal)
            except RowsOutdated as found:
                outdated += found.enterprises
        if outdated:
            raise RowsOutdated(outdated)
    return settled


def _settle(
    connection: sqlite3.Connection,
    trust: Trust,
    asked: Asked,
    item: AssessmentItem,
    parameter_set: str,
    present: Present,
    now: int,
    new_id: Callable[[], str],
) -> Charged | Stored:
    request = asked.request
    grant, state = known_grant(connection, item.authorization)
    # Whose it is comes first: only the bank it is for learns its state.
    _check_scope(asked, item, grant)
    check_usable(grant, state, now)
    row = row_in_force(connection, item.enterprise, present.snapshot, present.accounted)
    last = connection.execute(
        "SELECT assessment_id, centibits, charged_at, snapshot, epoch, request, receipt, revision FROM assessment"
        " WHERE authorization = ? AND model_id = ? AND disclosure = ? AND precision_points = ?"
        " ORDER BY sequence DESC LIMIT 1",
        (item.authorization, request.model, request.disclosure, request.precision_points),
    ).fetchone()
    # After an objection or a decision it is another question: what was stored may rest on a record that is left out.
    same_row = last is not None and last[7] == row.revision
    if same_row and last[6] is not None and not request.fresh:
        return _stored(connection, last[0], last[6])
    check_sealed(connection, trust, now)
    resumable = (
        same_row
        and last[6] is None
        and (last[3], last[4]) == (present.snapshot, present.epoch)
        # An old charge would count in an old window for what is disclosed now.
        and now - last[2] < RESUME_SECONDS
    )
    categories = grant.categories
    answers = len(categories) if request.disclosure is Disclosure.BY_CATEGORY else 1
    if resumable:
        assessment_id, centibits, charged_at, origin = last[0], last[1], last[2], last[5]
    else:
        assessment_id, charged_at, origin = new_id(), now, asked.digest
        centibits = answers * PARAMETER_SETS[parameter_set].centibits(request.precision_points)
        _check_limits(connection, trust, asked, item, grant, centibits, now)
        connection.execute(
            "INSERT INTO assessment (assessment_id, enterprise, bank, authorization, model_id, disclosure,"
            " precision_points, purpose, centibits, charged_at, snapshot, epoch, request, revision)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                assessment_id, item.enterprise, asked.bank, item.authorization, request.model, request.disclosure,
                request.precision_points, grant.purpose, centibits, now, present.snapshot, present.epoch, asked.digest,
                row.revision,
            ),
        )  # fmt: skip
    return Charged(
        assessment_id, item.enterprise, asked.bank, item.authorization, request.model, parameter_set,
        request.disclosure, request.precision_points, categories, centibits, charged_at, origin, row.revision,
        row.cells,
    )  # fmt: skip


def _check_scope(asked: Asked, item: AssessmentItem, grant: Authorization) -> None:
    request = asked.request
    if (grant.bank, grant.bank_certificate, grant.enterprise) != (
        asked.bank,
        asked.certificate,
        item.enterprise,
    ):
        # The same answer as for an unknown digest would do, but a bank that renewed its certificate must learn why.
        raise Refused(Reason.AUTHORIZATION_SCOPE, "the authorization is for another bank, certificate or enterprise")
    if request.disclosure is not grant.disclosure:
        raise Refused(Reason.AUTHORIZATION_SCOPE, f"the authorization discloses {grant.disclosure} only")
    if request.precision_points < grant.precision_points:
        raise Refused(
            Reason.AUTHORIZATION_SCOPE,
            f"the authorization allows no finer precision than {grant.precision_points}",
        )


def _check_limits(
    connection: sqlite3.Connection,
    trust: Trust,
    asked: Asked,
    item: AssessmentItem,
    grant: Authorization,
    centibits: int,
    now: int,
) -> None:
    check_uses(connection, item.authorization, grant)
    pause = PURPOSES[grant.purpose].min_days_between * DAY_SECONDS
    # What an authorization was narrowed from counts too: narrowing must not make an assessment possible.
    (latest,) = connection.execute(
        "WITH RECURSIVE line (digest) AS (SELECT ? UNION SELECT parent FROM authorization JOIN line USING (digest)"
        " WHERE parent IS NOT NULL) SELECT max(charged_at) FROM assessment"
        " WHERE authorization IN line AND model_id = ?",
        (item.authorization, asked.request.model),
    ).fetchone()
    if pause and latest is not None and now - latest < pause:
        raise Refused(Reason.PURPOSE_LIMIT, f"{grant.purpose} allows one assessment in {pause // DAY_SECONDS} days")
    check_budgets(connection, trust, item.enterprise, asked.bank, centibits, now)


def check_uses(connection: sqlite3.Connection, digest: str, grant: Authorization) -> None:
    """An alert is a use like an assessment. Raises `Refused`."""
    (made,) = connection.execute(
        "SELECT (SELECT count(*) FROM assessment WHERE authorization = ?1)"
        " + (SELECT count(*) FROM disclosure WHERE basis = ?1)",
        (digest,),
    ).fetchone()
    if made >= grant.max_assessments:
        raise Refused(Reason.AUTHORIZATION_USED_UP, "every assessment this authorization allows has been made")


def check_budgets(
    connection: sqlite3.Connection,
    trust: Trust,
    enterprise: str,
    asking: str,
    centibits: int,
    now: int,
    total_centibits: int | None = None,
) -> None:
    """Raises `Refused` unless the budgets cover `centibits` more to the bank `asking`, and `total_centibits` (None: as
    many) more over all banks."""
    total = centibits if total_centibits is None else total_centibits
    for bank, limit, spent in budgets(connection, trust, enterprise, (asking, ""), now):
        if spent + (centibits if bank else total) > limit:
            if bank:
                raise Refused(Reason.BUDGET_BANK_EXHAUSTED, "the enterprise's budget for this bank does not cover this")
            raise Refused(Reason.BUDGET_TOTAL_EXHAUSTED, "the enterprise's budget over all banks does not cover this")


def budgets(
    connection: sqlite3.Connection, trust: Trust, enterprise: str, banks: tuple[str, ...], now: int
) -> list[tuple[str, int, int]]:
    """(bank or "" for all, limit, spent in the window) in centibits."""
    found = []
    for bank in banks:
        row = connection.execute(
            "SELECT centibits FROM budget WHERE enterprise = ? AND bank = ?", (enterprise, bank)
        ).fetchone()
        default = trust.budget_bank_centibits if bank else trust.budget_total_centibits
        (spent,) = connection.execute(
            "SELECT coalesce(sum(CASE WHEN ? = '' THEN total_centibits ELSE centibits END), 0) FROM charged"
            " WHERE enterprise = ? AND (? = '' OR bank = ?) AND charged_at > ?",
            (bank, enterprise, bank, bank, now - WINDOW_SECONDS),
        ).fetchone()
        found.append((bank, default if row is None else row[0], spent))
    return found


def _stored(connection: sqlite3.Connection, assessment_id: str, receipt: str) -> Stored:
    connection.execute("UPDATE assessment SET repeats = repeats + 1 WHERE assessment_id = ?", (assessment_id,))
    return Stored(receipt, answers_of(connection, assessment_id))


def answers_of(connection: sqlite3.Connection, assessment_id: str) -> tuple[tuple[str, bytes], ...]:
    rows = connection.execute(
        "SELECT category, frame FROM answer WHERE assessment_id = ? ORDER BY category", (assessment_id,)
    )
    return tuple((category, frame) for category, frame in rows)


def store_answers(
    connection: sqlite3.Connection,
    answered: list[tuple[str, str, tuple[tuple[str, bytes], ...]]],
    random_bytes: Callable[[int], bytes],
) -> list[Stored]:
    """Keep (assessment id, receipt, parts) before anything leaves, and the receipts' commitments in the log. Who came
    first stays: the same question asked twice at once has the same bytes, and both get the receipt that was stored."""
    stored = []
    with transaction(connection, "store answers"):
        for assessment_id, receipt, parts in answered:
            first = connection.execute(
                "UPDATE assessment SET receipt = ? WHERE assessment_id = ? AND receipt IS NULL",
                (receipt, assessment_id),
            )
            if first.rowcount == 1:
                rows = [(assessment_id, category, frame) for category, frame in parts]
                connection.executemany("INSERT INTO answer VALUES (?, ?, ?)", rows)
                append(connection, assessment_id, receipt, random_bytes(SALT_BYTES))
                stored.append(Stored(receipt, parts))
            else:
                (kept,) = connection.execute(
                    "SELECT receipt FROM assessment WHERE assessment_id = ?", (assessment_id,)
                ).fetchone()
                stored.append(Stored(kept, answers_of(connection, assessment_id)))
    return stored


@dataclass(frozen=True, slots=True)
class Use:
    assessment_id: str
    bank: str
    authorization: str
    purpose: str
    model: str
    charged_at: int
    centibits: int
    receipt: str
    repeats: int


def usage_of(connection: sqlite3.Connection, enterprise: str, before: int, count: int) -> tuple[list[Use], int | None]:
    """An enterprise's uses, newest first, with sequence below `before`; and where the next page begins, if any."""
    rows = connection.execute(
        "SELECT sequence, assessment_id, bank, authorization, purpose, model_id, charged_at, centibits,"
        " coalesce(receipt, ''), repeats FROM assessment WHERE enterprise = ? AND sequence < ?"
        " ORDER BY sequence DESC LIMIT ?",
        (enterprise, before, count + 1),
    ).fetchall()
    following = rows[count - 1][0] if len(rows) > count else None
    return [Use(*row[1:]) for row in rows[:count]], following


def banks_charging(connection: sqlite3.Connection, enterprise: str, now: int) -> tuple[str, ...]:
    """Banks that spent bits on an enterprise in the window, or that it ever authorized or set a budget for."""
    rows = connection.execute(
        "SELECT bank FROM charged WHERE enterprise = ? AND charged_at > ? UNION"
        " SELECT bank FROM budget WHERE enterprise = ? AND bank <> '' UNION"
        " SELECT bank FROM authorization WHERE enterprise = ? ORDER BY 1",
        (enterprise, now - WINDOW_SECONDS, enterprise, enterprise),
    )
    return tuple(bank for (bank,) in rows)
