"""What a field of a record may hold beyond its type: bounds by unit, which may be negative or lie in the future.

All bounds are proposals of this project (evidence mark P), set wide: they catch another unit (yuan for 10 000 yuan,
Wh for kWh) and slips of the hand, not unusual enterprises.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

BOUNDS_BY_UNIT: Final = MappingProxyType(
    {
        "CNY": (-1e11, 1e11),
        "wan": (-1e7, 1e7),
        "%": (0.0, 100.0),
        "person": (0, 500_000),
        "year": (1949, 2100),
        "point": (-100, 100),
        "period": (0, 1_200),
        "count": (0, 1_000_000),
        "m3": (0, 1e9),
        "kWh": (0, 1e10),
        "kVA": (0, 5e6),
        "m2": (0, 1e8),
        "mu": (0, 1e7),
    }
)
"""Inclusive."""
MAY_BE_NEGATIVE: Final = frozenset({"equity", "total_profit", "net_profit", "tax_total", "score12"})
MAY_BE_FUTURE: Final = frozenset(
    {
        "op_period_to", "valid_from", "valid_to", "due_date", "term_to", "mortgage_from", "mortgage_to", "expiry_date",
        "xk_yxqz", "xk_yxqzi", "cf_yxq", "cf_gsjzq", "publicity_end", "discharge_permit_to", "land_contract_to",
        "period_from", "period_to", "grant_date",
    }
)  # fmt: skip
"""Dates that say until when something holds; every other date tells of what has happened."""


@dataclass(frozen=True, slots=True)
class UnitRatio:
    """`part / base` of one row lies between `least` and `most` when both are above 0."""

    part: str
    base: str
    least: float
    most: float


UNIT_RATIOS: Final = MappingProxyType(
    {
        "electricity_usage": (UnitRatio("bill", "kwh", 0.02, 50),),
        "water_usage": (UnitRatio("bill", "volume", 0.05, 500),),
        "gas_usage": (UnitRatio("bill", "volume", 0.05, 500),),
        "housing_fund": (UnitRatio("amount", "payer_count", 5, 1e5),),
        "social_insurance": (UnitRatio("base_total", "insured_count", 100, 1e6),),
    }
)
"""By category: CNY per kWh, per m3, per head and month."""
DATE_ORDERS: Final = (
    ("valid_from", "valid_to"),
    ("period_from", "period_to"),
    ("in_date", "out_date"),
    ("prev_read_date", "read_date"),
    ("filing_date", "closed_date"),
    ("mortgage_from", "mortgage_to"),
    ("xk_yxqz", "xk_yxqzi"),
    ("cf_jdrq", "cf_gsjzq"),
    ("app_date", "grant_date"),
    ("abnormal_date", "abnormal_end_date"),
)
"""The first is never after the second, in every category that has both."""
FIRST_YEAR: Final = 1900
"""No date of a record is before."""
EARLIEST_MONTH: Final = 194_910
"""yyyymm."""
