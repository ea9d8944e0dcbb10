"""Features that are a field of the latest record, read as it is: how other catalogues bring their own categories."""

from collections.abc import Sequence

import ibis
from xinyidai.catalogue import Feature

from enclave.features.tables import Tables, latest, per_enterprise


def build_direct(tables: Tables, category: str, features: Sequence[Feature]) -> ibis.Table:
    """One column a feature: its field in the enterprise's latest record by `data_month`, then by when it was received.
    Without a record, or with an empty field in it, the feature is missing; never not applicable. Rows about a month
    after `as_of` are not in the tables."""
    newest = latest(tables.of(category), ("uscc",), "data_month")
    fields = {feature.code: newest[str(feature.field)].cast("float64") for feature in features}
    return per_enterprise(tables, newest.select("uscc", **fields))
