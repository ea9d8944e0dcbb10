"""Draws a synthetic city and writes it: one Parquet file a category, and the truth apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.random import Generator
from xinyidai.catalogue import Catalogue, Category, builtin_catalogue

from clients.city import conduct, finance, innovation, labour, registry, trade, utilities
from clients.city.errors import CityError
from clients.city.latents import BLOCK, Firms, build_firms, stream
from clients.city.mess import Habits, deliver
from clients.city.rows import Rows
from clients.city.timeline import Timeline, build_timeline
from clients.city.writer import Files, Label, build_table, schema_of

MAX_ENTERPRISES: Final = 1_000_000
_TRUTH: Final = pa.schema(
    [pa.field("uscc", pa.string()), pa.field("true_risk", pa.float64()), pa.field("defaulted", pa.bool_())],
    metadata={"xinyidai.synthetic": "true"},
)


@dataclass(frozen=True)
class _Source:
    """How one category's rows come to be and how they are delivered."""

    build: Callable[[Firms, Generator], Rows]
    department: str
    habits: Habits
    slip: str | None = None


def _monthly(delay_days: float) -> Habits:
    return Habits(delay_days, late_share=0.02, gaps=True, loses_firms=True)


_SOURCES: Final[Mapping[str, _Source]] = {
    "enterprise_registration": _Source(registry.enterprise_registration, "SCJG", Habits(1), "reg_capital"),
    "annual_report": _Source(finance.annual_report, "SCJG", Habits(2, loses_firms=True), "revenue"),
    "tax_payment": _Source(finance.tax_payment, "SWJ", _monthly(8), "tax_paid"),
    "tax_credit": _Source(finance.tax_credit, "SWJ", Habits(6, loses_firms=True), "arrears_balance"),
    "social_insurance": _Source(labour.social_insurance, "RSJ", _monthly(12), "paid"),
    "housing_fund": _Source(labour.housing_fund, "GJJ", _monthly(10), "amount"),
    "water_usage": _Source(utilities.water_usage, "GSGS", _monthly(8), "volume"),
    "electricity_usage": _Source(utilities.electricity_usage, "GDGS", _monthly(4), "kwh"),
    "gas_usage": _Source(utilities.gas_usage, "RQGS", _monthly(8), "volume"),
    "real_estate": _Source(registry.real_estate, "ZRZY", Habits(7, loses_firms=True), "mortgage_amount"),
    "customs_trade": _Source(trade.customs_trade, "LYGHG", _monthly(12), "export_value"),
    "intellectual_property": _Source(innovation.intellectual_property, "ZSCQ", Habits(20), "pledge_amount"),
    "sci_tech_innovation": _Source(innovation.sci_tech_innovation, "KJJ", Habits(15), "rd_expense"),
    "administrative_permit": _Source(conduct.administrative_permit, "FGW", Habits(6)),
    "administrative_penalty": _Source(conduct.administrative_penalty, "FGW", Habits(6), "cf_nr_fk"),
    "judicial_enforcement": _Source(conduct.judicial_enforcement, "ZJFY", Habits(2), "subject_amount"),
    "abnormal_dishonesty_list": _Source(conduct.abnormal_dishonesty_list, "SCJG", Habits(2)),
    "honor_policy_support": _Source(innovation.honor_policy_support, "FGW", Habits(30), "support_amount"),
    "environmental_credit": _Source(trade.environmental_credit, "STHJ", Habits(10, loses_firms=True)),
    "agri_operator": _Source(trade.agri_operator, "NYNC", Habits(25, loses_firms=True), "subsidy_amount"),
    "pledge_guarantee": _Source(registry.pledge_guarantee, "SCJG", Habits(5), "secured_amount"),
}


@dataclass(frozen=True)
class CitySummary:
    """What was written. `defaulted` counts the hidden outcomes and says nothing of single enterprises."""

    enterprises: int
    seed: int
    as_of: date
    months: int
    defaulted: int
    rows: Mapping[str, int]
    """Category code to rows, in the catalogue's order."""

    def text(self) -> str:
        """Chinese first; names the data synthetic."""
        titles = {c.code: c.title for c in builtin_catalogue().categories}
        head = (
            f"合成城市(全部数据均为虚构) synthetic city, all data invented\n"
            f"企业 enterprises {self.enterprises}  种子 seed {self.seed}  "
            f"截至 as of {self.as_of}  月数 months {self.months}\n"
            f"隐藏违约率 hidden default rate {self.defaulted / self.enterprises:.2%}"
        )
        lines = [f"{count:>10}  {titles[code].zh}  {titles[code].en}" for code, count in self.rows.items()]
        return "\n".join([head, *lines, f"{sum(self.rows.values()):>10}  合计  total"])


def _check(enterprises: int, seed: int, out: Path, truth: Path | None) -> None:
    if not 1 <= enterprises <= MAX_ENTERPRISES:
        raise CityError(f"enterprises must be 1 to {MAX_ENTERPRISES}")
    if not 0 <= seed < 2**63:
        raise CityError("seed must be 0 or a positive integer below 2**63")
    if truth is not None and truth.resolve().is_relative_to(out.resolve()):
        raise CityError("the truth must not lie in the folder of the records; choose another place")


@dataclass(frozen=True)
class _Plan:
    """Where the tables of one city go, and everything their content depends on."""

    catalogue: Catalogue
    timeline: Timeline
    seed: int
    paths: Mapping[str, Path]
    truth: Path | None

    def schema(self, category: Category) -> pa.Schema:
        return schema_of((*self.catalogue.common_fields, *category.fields))

    def schemas(self) -> dict[Path, pa.Schema]:
        schemas = {self.paths[category.code]: self.schema(category) for category in self.catalogue.categories}
        return schemas if self.truth is None else {**schemas, self.truth: _TRUTH}

    def table(self, category: Category, firms: Firms, block: int, limit: int) -> pa.Table:
        source = _SOURCES[category.code]
        rows = source.build(firms, stream(self.seed, category.number, block))
        arrivals = deliver(stream(self.seed, category.number, block, 1), firms, rows, source.habits, limit)
        numbers = block * 10**6 + np.arange(len(rows.firm), dtype=np.int64)
        label = Label(source.department, source.slip, numbers)
        return build_table(category, self.schema(category), firms, rows, arrivals, label)

    def write(self, files: Files, block: int, limit: int) -> tuple[dict[str, int], int]:
        """The first `limit` enterprises of a block; rows written by category, and defaults among them."""
        firms = build_firms(self.seed, block, self.timeline)
        written = {}
        for category in self.catalogue.categories:
            table = self.table(category, firms, block, limit)
            files.write(self.paths[category.code], table)
            written[category.code] = table.num_rows
        if self.truth is not None:
            columns = [firms.uscc, pa.array(firms.true_risk), pa.array(firms.defaulted)]
            files.write(self.truth, pa.Table.from_arrays(columns, schema=_TRUTH).slice(0, limit))
        return written, int(firms.defaulted[:limit].sum())


def generate_city(
    enterprises: int, seed: int, as_of: date, out: Path, months: int = 48, truth: Path | None = None
) -> CitySummary:
    """Write `<out>/<category code>.parquet` for every category of the built-in catalogue, and `truth` when asked.

    Synthetic throughout: no row is about a real enterprise, and rates measure nothing real. The same arguments give
    the same tables (with the same numpy and pyarrow), and the first n enterprises are the same in every city of the
    seed, `as_of` and `months`. Memory does not grow with `enterprises`. Existing files of these names are replaced
    when all new ones are complete. `truth` gets uscc, true_risk (probability of default in the 12 months after
    `as_of`) and defaulted; it must lie outside `out`. Raises `CityError`, or `OSError` when a file cannot be written.
    """
    _check(enterprises, seed, out, truth)
    timeline, catalogue = build_timeline(as_of, months), builtin_catalogue()
    paths = {category.code: out / f"{category.code}.parquet" for category in catalogue.categories}
    plan = _Plan(catalogue, timeline, seed, paths, truth)
    totals, defaulted = dict.fromkeys(paths, 0), 0
    with Files(plan.schemas()) as files:
        for block in range(-(-enterprises // BLOCK)):
            limit = min(BLOCK, enterprises - block * BLOCK)
            written, bad = plan.write(files, block, limit)
            totals = {code: count + written[code] for code, count in totals.items()}
            defaulted += bad
    return CitySummary(enterprises, seed, as_of, months, defaulted, MappingProxyType(totals))
