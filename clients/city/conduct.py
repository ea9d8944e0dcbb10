"""Synthetic permits, penalties, court cases and lists of dishonesty: all tables of hits."""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.random import Generator

from clients.city import industries
from clients.city.identity import SOLE_TRADER
from clients.city.latents import Firms
from clients.city.registry import open_end, past_dates
from clients.city.rows import Coded, Rows, constant, events, money, numbered, pick, texts
from clients.city.timeline import NEVER, Floats, Ints, days

_PARTIES: Final = ("company", "sole_trader", "other")
_PERMIT_NAMES: Final = (
    "食品经营许可",
    "危险化学品经营许可",
    "道路运输经营许可",
    "排污许可",
    "安全生产许可",
    "取水许可",
)
_PERMIT_ORGANS: Final = ("市场监督管理局", "应急管理局", "交通运输局", "生态环境局", "住房和城乡建设局", "水利局")
_BREACHES: Final = ("产品质量", "安全生产", "环境保护", "交通运输", "税收征管", "劳动用工")
_PENALTY_ORGANS: Final = ("市场监督管理局", "应急管理局", "生态环境局", "交通运输局", "税务局", "人力资源和社会保障局")
_PENALTIES: Final = ("warning", "fine", "confiscation", "suspension", "revocation", "other")
_SEVERITIES: Final = ("minor", "general", "serious")
_PUBLICITY_DAYS: Final = np.array([90, 365, 1095])
"""Longest periods of the credit repair measures (NDRC Order 36 of 2025)."""
_ORGAN_CODES: Final = tuple(f"1132070000{k}" for k in range(6))


def _rate(firms: Firms, yearly: float, slope: float, years: float, own: Floats) -> Floats:
    """Expected events over the last `years`, or since founding; `own` is the enterprise's noise (log)."""
    age = (firms.timeline.as_of - firms.founded).astype(np.float64) / 365.25
    tilt = np.exp(np.clip(slope * firms.strain_now + own, -4, 3))
    rate: Floats = yearly * tilt * np.minimum(age, years) * np.array([0.8, 1.0, 1.5, 2.0])[firms.size]
    return rate


def _parties(firms: Firms, firm: Ints) -> dict[str, pa.Array | Coded]:
    kind = np.where(firms.kind[firm] == SOLE_TRADER, 1, 0)
    return {"mc": firms.name.take(firm), "lb": Coded(kind, _PARTIES), "shxym": firms.uscc.take(firm)}


def administrative_permit(firms: Firms, rng: Generator) -> Rows:
    """Permits of the last ten years; some without end, written as 2099 or 9999."""
    firm = events(rng, industries.PERMITS[firms.industry] * np.array([0.6, 1.0, 1.8, 3.0])[firms.size])
    count = len(firm)
    kind = rng.integers(0, 6, count)
    decided = past_dates(rng, firms, firm, 3650)
    ends = open_end(rng, decided + days(rng.choice([3, 5, 5, 10], count) * 365), 0.25)
    revoked = rng.random(count) < 0.008 * np.exp(np.clip(0.8 * firms.strain_now[firm], -2, 3))
    state = np.where(revoked, 1, np.where(rng.random(count) < 0.06, 2, 0))
    party = _parties(firms, firm)
    name = texts(Coded(kind, _PERMIT_NAMES))
    number = rng.integers(10**8, 10**9, count)
    return Rows(
        firm, decided, decided,
        {
            "xk_xdr_mc": party["mc"],
            "xk_xdr_lb": party["lb"],
            "xk_xdr_shxym": party["shxym"],
            "xk_xkws": name,
            "xk_wsh": numbered("连许准字", number, 9),
            "xk_xklb": pick(
                rng, count, ("ordinary", "franchise", "approval", "verification", "registration", "other"),
                (60, 2, 14, 10, 8, 6),
            ),
            "xk_xkzs": name,
            "xk_xkbh": numbered("XK", number, 12),
            "xk_nr": name,
            "xk_jdrq": decided,
            "xk_yxqz": decided,
            "xk_yxqzi": ends,
            "xk_xkjg": texts(Coded(kind, _PERMIT_ORGANS)),
            "xk_xkjgdm": Coded(kind, _ORGAN_CODES),
            "xk_zt": Coded(state.astype(np.int64), ("in_force", "revoked", "cancelled")),
            "xk_lydw": constant("市发改委", count),
            "xk_lydwdm": constant("11320700", count),
        },
    )  # fmt: skip


def _gravity(rng: Generator, firms: Firms, firm: Ints) -> tuple[Ints, Ints]:
    """Severity and kind of each penalty, as indices."""
    count = len(firm)
    pull = firms.strain_now[firm] + rng.normal(0, 1, count)
    severity = np.searchsorted([-0.2, 2.2], pull).astype(np.int64)
    kind = np.where(severity == 0, rng.choice([0, 1], count), rng.choice([1, 1, 1, 2, 3, 5], count))
    return severity, np.where((severity == 2) & (rng.random(count) < 0.15), 4, kind).astype(np.int64)


def administrative_penalty(firms: Firms, rng: Generator) -> Rows:
    """Penalties of the last five years, of three severities; some repaired, old ones past their publicity."""
    firm = events(rng, _rate(firms, 0.075, 0.60, 5.0, rng.normal(0, 0.7, firms.count)))
    count = len(firm)
    severity, kind = _gravity(rng, firms, firm)
    decided = past_dates(rng, firms, firm, 1825)
    ends = decided + days(_PUBLICITY_DAYS[severity])
    fine = np.where((kind == 1) | (kind == 3), np.exp(rng.normal(-0.4, 1.2, count) + 0.9 * severity), 0.0)
    taken = np.where(kind == 2, np.exp(rng.normal(-0.8, 1.2, count)), 0.0)
    breach = rng.integers(0, 6, count)
    party = _parties(firms, firm)
    kept = Coded(np.where(kind == 4, 0, -1), ("许可证",))
    return Rows(
        firm, decided, decided,
        {
            "cf_xdr_mc": party["mc"],
            "cf_xdr_lb": party["lb"],
            "cf_xdr_shxym": party["shxym"],
            "cf_wsh": numbered("连罚字", rng.integers(10**8, 10**9, count), 9),
            "cf_wfxw": Coded(breach, _BREACHES),
            "cf_sy": Coded(breach, tuple(f"违反{b}规定" for b in _BREACHES)),
            "cf_yj": Coded(breach, tuple(f"{b}相关法规" for b in _BREACHES)),
            "cf_cflb": Coded(kind, _PENALTIES),
            "cf_nr": Coded(kind, ("警告", "罚款", "没收违法所得", "责令停产停业", "吊销许可证件", "其他")),
            "cf_nr_fk": np.round(fine, 6),
            "cf_nr_wfff": np.round(taken, 6),
            "cf_nr_zkdx": kept,
            "cf_jdrq": decided,
            "cf_yxq": open_end(rng, ends, 0.1),
            "cf_gsjzq": ends,
            "cf_cfjg": Coded(breach, _PENALTY_ORGANS),
            "cf_cfjgdm": Coded(breach, _ORGAN_CODES),
            "cf_sjly": constant("市发改委", count),
            "cf_sjlydm": constant("11320700", count),
            "severity": Coded(severity, _SEVERITIES),
            "repaired": (severity < 2) & (rng.random(count) < 0.25),
        },
    )  # fmt: skip


def judicial_enforcement(firms: Firms, rng: Generator) -> Rows:
    """Court cases of the last six years: as plaintiff (no sign of strain), as defendant, and under enforcement."""
    noise = rng.normal(0, 0.7, firms.count)
    parts = (
        events(rng, _rate(firms, 0.06, 0.0, 6.0, noise)),
        events(rng, _rate(firms, 0.055, 0.60, 6.0, noise)),
        events(rng, _rate(firms, 0.022, 0.85, 6.0, noise)),
    )
    firm, role = np.concatenate(parts), np.repeat(np.arange(3), [len(p) for p in parts])
    count, executed = len(firm), role == 2
    filed = past_dates(rng, firms, firm, 2190)
    amount = money(np.clip(firms.revenue[firm] * np.exp(rng.normal(-3.6, 1.1, count)), 2_000, 5e7))
    closed = filed + days(rng.gamma(2.0, 110.0, count) + 20)
    ended = (closed <= firms.timeline.as_of) & (rng.random(count) < 0.9)
    paid = rng.random(count) < 0.62 - 0.10 * firms.strain_now[firm]
    left = np.where(executed & ~(ended & paid), amount * rng.uniform(0.2, 1.0, count), 0.0)
    performance = np.where(left == 0, 0, np.where(left < 0.8 * amount, 1, 2))
    defaulting = executed & (left > 0) & (rng.random(count) < 0.22)
    ready = np.where(ended, closed, filed).astype("datetime64[D]")
    return Rows(
        firm, filed, ready,
        {
            "case_no": numbered("苏07执民", rng.integers(10**6, 10**7, count), 7),
            "court_code": Coded(firms.region[firm], tuple(f"3207{k}" for k in (91, 92, 93, 94, 95, 96))),
            "role": Coded(role, ("plaintiff", "defendant", "executed")),
            "cause": pick(rng, count, ("loan", "sale", "labour", "construction", "other"), (25, 35, 15, 12, 13)),
            "filing_date": filed,
            "subject_amount": amount,
            "unperformed_amount": money(left),
            "performance": Coded(performance.astype(np.int64), ("full", "partial", "none")),
            "dishonest_flag": defaulting,
            "publish_date": np.where(defaulting, ready, NEVER).astype("datetime64[D]"),
            "high_consumption_ban": executed & (left > 0) & (rng.random(count) < 0.5),
            "closed_date": np.where(ended & (left == 0), closed, NEVER).astype("datetime64[D]"),
            "repaired": defaulting & (rng.random(count) < 0.12),
        },
    )  # fmt: skip


def abnormal_dishonesty_list(firms: Firms, rng: Generator) -> Rows:
    """Listings of the last five years, mostly for a missed annual report, most of them lifted."""
    firm = events(rng, _rate(firms, 0.028, 0.80, 5.0, rng.normal(0, 0.5, firms.count)))
    count = len(firm)
    grave = rng.random(count) < 0.05 * np.exp(np.clip(0.5 * firms.strain_now[firm], -2, 1.5))
    kind = np.where(grave, rng.choice([1, 2, 3], count), np.where(rng.random(count) < 0.05, 4, 0)).astype(np.int64)
    listed = past_dates(rng, firms, firm, 1825)
    out = listed + days(rng.gamma(1.3, 190.0, count) + np.where(grave, 300, 10))
    gone = (out <= firms.timeline.as_of) & (rng.random(count) < 0.93)
    reason = np.where(grave, 3, rng.choice([0, 1, 2, 4], count, p=(0.62, 0.26, 0.07, 0.05))).astype(np.int64)
    ready = np.where(gone, out, listed).astype("datetime64[D]")
    leave = rng.choice([1, 2, 3], count, p=(0.75, 0.1, 0.15))
    organ = constant("市场监督管理局", count)
    return Rows(
        firm, listed, ready,
        {
            "list_type": Coded(kind, ("abnormal_operation", "serious_illegal", "major_tax", "wage_arrears", "other")),
            "list_no": numbered("YC", rng.integers(10**8, 10**9, count), 10),
            "in_date": listed,
            "out_date": np.where(gone, out, NEVER).astype("datetime64[D]"),
            "in_reason": Coded(reason, ("no_report", "no_contact", "false_report", "serious", "other")),
            "out_reason": Coded(np.where(gone, leave, 0), ("none", "corrected", "expired", "repaired", "other")),
            "in_organ": organ,
            "out_organ": Coded(np.where(gone, 0, -1), ("市场监督管理局",)),
            "publicity_end": np.where(grave, listed + days(np.full(count, 1095)), NEVER).astype("datetime64[D]"),
            "repaired": gone & (leave == 3) & (rng.random(count) < 0.8),
        },
    )  # fmt: skip
