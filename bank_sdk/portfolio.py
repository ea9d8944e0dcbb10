"""A whole portfolio: enterprises in, one row each out, resumable, in flat batches.

The journal is a file of JSON lines next to the output. A row stands there whole or not at all; a run that was
interrupted goes on from it. What was under way is asked again, which returns the stored answer free of charge: a
portfolio never asks for fresh assessments.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final, cast

from xinyidai.authorization import Disclosure
from xinyidai.identifiers import IdentifierError, parse_uscc
from xinyidai.reasons import Reason

from bank_sdk.decision import Policy
from bank_sdk.errors import BankSdkError, InputError, ServiceError
from bank_sdk.explain import reasons
from bank_sdk.questions import Item
from bank_sdk.results import AssessmentResult, GrantedAuthorization, RegisteredModel, ScoreInterval
from bank_sdk.sync import BankClientSync

_KIND: Final = "portfolio/v1"
_SYNC_ROWS: Final = 256
_Answers = Generator[tuple[Item, AssessmentResult | BankSdkError], None, None]
COLUMNS: Final = (
    "enterprise", "score", "score_low", "score_high", "grade", "pd", "action", "limit_fen", "rate_bp", "reasons",
    "as_of", "assessment_id", "centibits", "repeated", "error", "message",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PortfolioRow:
    """One enterprise's outcome: a score, or why there is none."""

    enterprise: str
    score_low: int | None = field(default=None, repr=False)
    score_high: int | None = field(default=None, repr=False)
    reasons: str = field(default="", repr=False)
    """Codes of `bank_sdk.reasons` with semicolons between them, where the authorization discloses by category."""
    as_of: str = ""
    assessment_id: str = ""
    centibits: int = 0
    """Charged when the answer was made, in hundredths of a bit."""
    repeated: bool = False
    error: str = ""
    """A reason of the wire, or the name of the error's class; empty with a score."""
    message: str = field(default="", repr=False)

    @property
    def scored(self) -> bool:
        return self.score_low is not None

    def columns(self, policy: Policy | None = None) -> dict[str, Any]:
        """`COLUMNS`, None where there is nothing to say. `score` is empty when the answer is an interval."""
        found: dict[str, Any] = {**dict.fromkeys(COLUMNS), **asdict(self)}
        if self.score_low is None or self.score_high is None:
            return found
        found["score"] = self.score_low if self.score_low == self.score_high else None
        if policy is not None:
            decision = policy.decide(ScoreInterval(self.score_low, self.score_high))
            found.update(grade=decision.grade, pd=decision.pd, action=str(decision.action))
            found.update(limit_fen=decision.limit_fen, rate_bp=decision.rate_bp)
        return found


class Journal:
    """The rows of one portfolio so far, with their receipts, in a file for its owner only (0600).

    Raises `InputError` when the file belongs to another model or input, is damaged, or is in use by another run.
    """

    def __init__(self, path: str | Path, model_id: str, enterprises: Sequence[str]) -> None:
        self.path = Path(path)
        digest = hashlib.sha256("\n".join(enterprises).encode()).hexdigest()
        self._header = {"kind": _KIND, "model": model_id, "input": digest}
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.fchmod(handle, 0o600)
        except OSError as error:
            raise InputError(f"{self.path.name} cannot be written: {error.strerror}") from error
        self._file: IO[bytes] = os.fdopen(handle, "r+b")
        self._unsynced = 0
        try:
            self._lock()
            self.rows = self._recover()
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"{self.path.name} is in use; another run is writing this portfolio") from error

    def _recover(self) -> dict[str, PortfolioRow]:
        """Rows of an earlier run. A last line without its end was being written when the run died: it is cut off."""
        rows: dict[str, PortfolioRow] = {}
        good = 0
        for number, line in enumerate(iter(self._file.readline, b"")):
            if not line.endswith(b"\n"):
                break
            entry = self._parse(line)
            if number == 0 and entry != self._header:
                raise InputError(
                    f"{self.path.name} is the journal of another model or input; finish that run, or remove the file"
                )
            if number:
                row = self._row(entry)
                rows[row.enterprise] = row
            good = self._file.tell()
        self._file.seek(good)
        self._file.truncate()
        if not good:
            self._write(self._header)
        return {name: row for name, row in rows.items() if row.scored}

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise InputError(f"{self.path.name} is damaged; remove it to begin anew (repeats are free)") from error
        return entry if isinstance(entry, dict) else {}

    def _row(self, entry: dict[str, Any]) -> PortfolioRow:
        try:
            return PortfolioRow(**{name: value for name, value in entry.items() if name != "receipt"})
        except TypeError as error:
            raise InputError(f"{self.path.name} was written by another version; remove it to begin anew") from error

    def append(self, row: PortfolioRow, receipt: str) -> None:
        self._write({**asdict(row), "receipt": receipt})
        self._unsynced += 1
        if self._unsynced >= _SYNC_ROWS:
            os.fsync(self._file.fileno())
            self._unsynced = 0

    def _write(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        self._file.flush()

    def receipts(self) -> Iterator[str]:
        """The enclave's receipts, in the order they came."""
        with self.path.open("rb") as file:
            for line in file:
                if receipt := self._parse(line).get("receipt"):
                    yield str(receipt)

    def close(self) -> None:
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()

    def remove(self) -> None:
        """When the output is complete."""
        self.path.unlink(missing_ok=True)
        self.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def assess_portfolio(
    client: BankClientSync,
    enterprises: Iterable[str],
    model: RegisteredModel | str,
    *,
    journal: Journal | None = None,
    on_row: Callable[[PortfolioRow], None] | None = None,
) -> list[PortfolioRow]:
    """One row for each distinct enterprise, in the order given, under its newest usable authorization.

    Never fresh: an enterprise asked before under the same authorization and model costs nothing. What concerns one
    enterprise alone is an error in its row; what ends the run is raised, and with a journal nothing of it is lost. Rows
    with an error are asked again when a journal is resumed.
    """
    names = list(dict.fromkeys(enterprises))
    rows = dict(journal.rows) if journal is not None else {}
    for row in list(rows.values()):
        _tell(on_row, row)
    with closing(_ask(client, [name for name in names if name not in rows], model)) as answers:
        for row, receipt in answers:
            rows[row.enterprise] = row
            if journal is not None:
                journal.append(row, receipt)
            _tell(on_row, row)
    return [rows[name] for name in names]


def assess_frame(
    client: BankClientSync,
    frame: Any,
    model: RegisteredModel | str,
    *,
    column: str = "uscc",
    policy: Policy | None = None,
    journal: Journal | None = None,
    on_row: Callable[[PortfolioRow], None] | None = None,
) -> Any:
    """A copy of a pandas DataFrame with the columns of `COLUMNS` (but `enterprise`) added; rows and index stay.

    `column`: where the USCCs are. A blocking call, also fit for a notebook, whose own event loop it leaves alone.
    Raises `InputError` when the column is missing or an added one is there already.
    """
    if column not in frame.columns:
        raise InputError(f"the frame has no column {column}; say which holds the USCCs")
    added = [name for name in COLUMNS if name != "enterprise"]
    if taken := [name for name in added if name in frame.columns]:
        raise InputError(f"the frame has a column {taken[0]} already; rename or drop it first")
    names = [str(name) for name in frame[column]]
    found = {row.enterprise: row for row in assess_portfolio(client, names, model, journal=journal, on_row=on_row)}
    cells = {name: found[name].columns(policy) for name in found}
    whole = {"score", "score_low", "score_high", "limit_fen", "rate_bp", "centibits"}
    # Nullable integers: a missing score must neither become a float nor look like a 0.
    types = {name: "Int64" for name in added if name in whole} | {"pd": "Float64", "repeated": "boolean"}
    columns = {name: [cells[enterprise][name] for enterprise in names] for name in added}
    made = type(frame)(columns, index=frame.index).astype(types)
    return frame.assign(**{name: made[name] for name in added})


def _ask(
    client: BankClientSync, names: Sequence[str], model: RegisteredModel | str
) -> Generator[tuple[PortfolioRow, str], None, None]:
    valid = []
    for name in names:
        try:
            valid.append(parse_uscc(name))
        except IdentifierError as error:
            yield _failed(name, InputError(str(error))), ""
    chosen = client.usable_authorizations(model, valid) if valid else {}
    for name in valid:
        if name not in chosen:
            message = "the enterprise has no authorization that this bank, certificate and model can use now"
            yield _failed(name, ServiceError(message, Reason.AUTHORIZATION_UNKNOWN)), ""
    # Neighbours with the same terms share a signed request.
    grants = sorted(chosen.values(), key=_terms)
    if not grants:
        return
    explain = _explainer(client, model, grants)
    # Closed at once when the caller stops early, so that the stream is cancelled and not left to the collector.
    with closing(cast(_Answers, client.assess_many(grants, model))) as answers:
        for grant, (_, outcome) in zip(grants, answers, strict=True):
            if isinstance(outcome, AssessmentResult):
                yield _row(outcome, explain(outcome)), outcome.receipt
            else:
                yield _failed(grant.terms.enterprise, outcome), ""


def _terms(grant: GrantedAuthorization) -> tuple[Any, ...]:
    terms = grant.terms
    return (terms.enclaves, str(terms.disclosure), terms.precision_points)


def _explainer(
    client: BankClientSync, model: RegisteredModel | str, grants: Sequence[GrantedAuthorization]
) -> Callable[[AssessmentResult], str]:
    if all(grant.terms.disclosure is Disclosure.TOTAL for grant in grants):
        return lambda result: ""
    stored, catalogue = client.stored(model), client.catalogue()

    def explain(result: AssessmentResult) -> str:
        found = reasons(result, stored, catalogue) if result.categories else ()
        return ";".join(reason.code for reason in found)

    return explain


def _row(result: AssessmentResult, why: str) -> PortfolioRow:
    return PortfolioRow(
        enterprise=result.enterprise,
        score_low=result.interval.low,
        score_high=result.interval.high,
        reasons=why,
        as_of=result.as_of.isoformat(),
        assessment_id=result.assessment_id,
        centibits=result.centibits,
        repeated=result.repeated,
    )


def _failed(enterprise: str, error: BankSdkError) -> PortfolioRow:
    reason = error.reason if isinstance(error, ServiceError) and error.reason else type(error).__name__
    return PortfolioRow(enterprise, error=str(reason), message=str(error))


def _tell(on_row: Callable[[PortfolioRow], None] | None, row: PortfolioRow) -> None:
    if on_row is not None:
        on_row(row)
