"""What the synthetic city makes and trades: industries by GB/T 4754-2017 class, with the figures that shape records.

All figures are invented for plausibility and measure no real industry.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np


@dataclass(frozen=True, slots=True)
class Industry:
    code: str
    trade: str
    """Word in the enterprise's name."""
    weight: float
    sales_per_head: float
    """10 000 CNY a year."""
    vat: float
    """VAT paid over sales."""
    margin: float
    kwh: float
    """Per 1 000 CNY of sales."""
    water: float
    """m3 per head and month."""
    gas: float
    """Share of enterprises with a gas account."""
    gas_volume: float
    """m3 per 1 000 CNY of sales."""
    trade_share: float
    """Share registered with customs."""
    rated: float
    """Share in environmental rating."""
    risk: float
    """Industry's part of the hidden strain."""
    season: float
    """Amplitude of the year's swing."""
    tech: float
    """Propensity to hold patents and titles."""
    permits: float
    """Expected operating permits."""


INDUSTRIES: Final = (
    Industry("0111", "粮食种植", 2.5, 30, 0.002, 0.05, 20, 9.0, 0.00, 0.0, 0.01, 0.02, 0.1, 0.40, 0.1, 0.5),
    Industry("0411", "水产养殖", 3.0, 35, 0.002, 0.07, 35, 12.0, 0.01, 0.5, 0.06, 0.15, 0.3, 0.45, 0.2, 1.0),
    Industry("1361", "水产食品", 4.5, 55, 0.018, 0.05, 60, 14.0, 0.15, 2.0, 0.35, 0.45, 0.1, 0.25, 0.4, 2.0),
    Industry("2614", "化工", 3.5, 130, 0.028, 0.07, 110, 16.0, 0.35, 6.0, 0.35, 0.95, 0.2, 0.08, 1.2, 3.0),
    Industry("2720", "医药", 2.0, 110, 0.045, 0.12, 55, 12.0, 0.30, 3.0, 0.30, 0.90, -0.6, 0.05, 2.2, 3.5),
    Industry("3039", "石英材料", 6.0, 65, 0.035, 0.06, 140, 8.0, 0.28, 7.0, 0.22, 0.60, 0.1, 0.10, 1.0, 1.2),
    Industry("3311", "金属制品", 6.0, 70, 0.030, 0.05, 70, 5.0, 0.22, 3.0, 0.15, 0.45, 0.2, 0.10, 0.7, 0.8),
    Industry("3484", "机械制造", 7.0, 60, 0.035, 0.06, 65, 4.0, 0.12, 2.0, 0.18, 0.35, 0.0, 0.08, 1.3, 0.8),
    Industry("3825", "新能源", 2.0, 120, 0.030, 0.06, 80, 4.0, 0.10, 1.5, 0.40, 0.40, 0.2, 0.10, 2.0, 1.0),
    Industry("4710", "建筑工程", 9.0, 45, 0.022, 0.04, 8, 3.0, 0.01, 0.5, 0.02, 0.15, 0.5, 0.15, 0.3, 2.2),
    Industry("5111", "粮油贸易", 6.0, 160, 0.008, 0.02, 4, 2.0, 0.01, 0.2, 0.18, 0.02, 0.2, 0.12, 0.1, 1.2),
    Industry("5169", "化工贸易", 9.0, 220, 0.009, 0.02, 3, 2.0, 0.01, 0.2, 0.25, 0.05, 0.4, 0.08, 0.1, 1.0),
    Industry("5211", "百货", 8.0, 80, 0.012, 0.03, 18, 3.0, 0.03, 0.3, 0.03, 0.01, 0.1, 0.15, 0.1, 0.8),
    Industry("5292", "电子商务", 5.0, 90, 0.012, 0.03, 5, 1.5, 0.01, 0.1, 0.12, 0.00, 0.3, 0.20, 0.4, 0.5),
    Industry("5431", "物流运输", 8.0, 50, 0.025, 0.04, 6, 2.0, 0.01, 0.3, 0.06, 0.08, 0.4, 0.08, 0.2, 1.5),
    Industry("5910", "港口装卸", 2.0, 55, 0.030, 0.08, 25, 5.0, 0.02, 0.3, 0.10, 0.20, -0.3, 0.08, 0.4, 1.5),
    Industry("6110", "酒店", 2.5, 22, 0.025, 0.05, 90, 25.0, 0.55, 8.0, 0.01, 0.05, 0.3, 0.25, 0.0, 2.5),
    Industry("6210", "餐饮", 6.0, 18, 0.010, 0.05, 70, 22.0, 0.60, 12.0, 0.01, 0.03, 0.5, 0.12, 0.0, 1.3),
    Industry("6513", "软件", 3.5, 40, 0.030, 0.12, 8, 1.0, 0.00, 0.0, 0.06, 0.00, -0.3, 0.08, 2.5, 0.4),
    Industry("7299", "商务服务", 6.0, 35, 0.025, 0.08, 6, 1.2, 0.01, 0.1, 0.02, 0.00, 0.0, 0.06, 0.3, 0.6),
    Industry("7484", "工程设计", 2.5, 42, 0.035, 0.10, 7, 1.2, 0.00, 0.0, 0.01, 0.00, -0.2, 0.06, 0.9, 1.2),
)

CODES: Final = tuple(i.code for i in INDUSTRIES)
TRADES: Final = tuple(i.trade for i in INDUSTRIES)
FARMING: Final = np.array([k for k, i in enumerate(INDUSTRIES) if i.code.startswith("0")], dtype=np.int64)
_MAKING: Final = np.array([i.code[0] in "123" for i in INDUSTRIES])

WEIGHT: Final = np.array([i.weight for i in INDUSTRIES]) / sum(i.weight for i in INDUSTRIES)
SALES_PER_HEAD: Final = np.array([i.sales_per_head for i in INDUSTRIES])
VAT: Final = np.array([i.vat for i in INDUSTRIES])
MARGIN: Final = np.array([i.margin for i in INDUSTRIES])
KWH: Final = np.array([i.kwh for i in INDUSTRIES])
WATER: Final = np.array([i.water for i in INDUSTRIES])
GAS: Final = np.array([i.gas for i in INDUSTRIES])
GAS_VOLUME: Final = np.array([i.gas_volume for i in INDUSTRIES])
TRADE_SHARE: Final = np.array([i.trade_share for i in INDUSTRIES])
RATED: Final = np.array([i.rated for i in INDUSTRIES])
RISK: Final = np.array([i.risk for i in INDUSTRIES])
SEASON: Final = np.array([i.season for i in INDUSTRIES])
TECH: Final = np.array([i.tech for i in INDUSTRIES])
PERMITS: Final = np.array([i.permits for i in INDUSTRIES])
MAKING: Final = _MAKING
"""Manufacturing: industrial tariffs for power, water and gas."""
