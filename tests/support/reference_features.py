"""The 92 features, slowly and plainly: one enterprise and one record at a time, in ordinary Python.

Written from the catalogue's definitions and docs/catalogue.md, without a line of the enclave's. Where this and the
enclave differ, one of them misreads a definition. `reference_money` and `reference_conduct` have a function a category.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from xinyidai.catalogue import builtin_catalogue

from tests.support import reference_conduct, reference_money
from tests.support.records import MISSING, Row, Told
from tests.support.reference_firm import Firm


def visible(rows: Sequence[Row], as_of: date) -> list[Row]:
    """What had arrived by the end of the day, about no later month; of each record of a source the last version."""
    last: dict[tuple[str, str], Row] = {}
    for row in rows:
        ahead = row["data_month"] is not None and row["data_month"] > as_of.year * 100 + as_of.month
        if row["recv_time"] <= datetime.combine(as_of, time.max) and not ahead:
            known = last.get((row["source_dept"], row["record_id"]))
            if known is None or row["recv_time"] > known["recv_time"]:
                last[row["source_dept"], row["record_id"]] = row
    return list(last.values())


def reference_features(records: Mapping[str, Sequence[Row]], as_of: date) -> dict[str, Told]:
    """By enterprise, everything the features say. `records`: whole rows of well-formed codes by category; a category
    that is not there is not held. Versions of one record must not have arrived at the same time."""
    known: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for category, rows in records.items():
        for row in visible(rows, as_of):
            known[row["uscc"]][category].append(row)
    return {uscc: _of_firm(Firm(as_of, own), records) for uscc, own in known.items()}


def _of_firm(firm: Firm, held: Mapping[str, Any]) -> Told:
    told: Told = {feature.code: MISSING for feature in builtin_catalogue().features}
    for category in held:
        module = reference_money if hasattr(reference_money, category) else reference_conduct
        told |= getattr(module, category)(firm)
    return told
