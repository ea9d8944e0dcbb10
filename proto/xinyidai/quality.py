"""What stands on a quality board: the seven measures by name, and one cell."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from xinyidai.catalogue import Text

MEASURES: Final[Mapping[str, Text]] = {
    "compliance": Text("合规性", "Compliance"),
    "timeliness": Text("及时性", "Timeliness"),
    "standardization": Text("规范性", "Standardization"),
    "completeness": Text("完整性", "Completeness"),
    "continuity": Text("连续性", "Continuity"),
    "coverage": Text("覆盖面", "Coverage"),
    "linkage": Text("关联性", "Linkage"),
}
"""By the names of their fields in `QualityCell` of the wire, in the order they are shown."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One category, source and month. Counts are rounded, as the enclave says."""

    category: str
    source: str
    """"" for all sources together."""
    month: int
    """yyyymm; 0 for all months of the board together."""
    rows: int
    enterprises: int
    shares: Mapping[str, float]
    """Measure to 0..1; a measure that does not apply is absent."""
