"""How a score and the odds belong together: PDO, base score, base odds, and the directions tools disagree on."""

import math
from dataclasses import dataclass
from typing import Literal

from bank_sdk.errors import InputError

OddsDirection = Literal["good:bad", "bad:good"]
ScoreDirection = Literal["better", "riskier"]


@dataclass(frozen=True, slots=True)
class Scale:
    """score = base_score at odds of base_odds; every `pdo` points the odds double, in the direction `higher_is`.

    Nothing is inferred: whether odds are good:bad or bad:good must be said (tools differ). Raises `InputError`.
    """

    pdo: float
    """Points to double the odds."""
    base_score: float
    base_odds: float
    odds: OddsDirection
    higher_is: ScoreDirection = "better"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.pdo) and self.pdo > 0 and math.isfinite(self.base_odds) and self.base_odds > 0):
            raise InputError("pdo and base_odds of a scale are numbers above 0")
        if not math.isfinite(self.base_score):
            raise InputError("base_score of a scale is a number")
        if self.odds not in ("good:bad", "bad:good"):
            raise InputError('say how the odds are meant: odds="good:bad" or odds="bad:good"')
        if self.higher_is not in ("better", "riskier"):
            raise InputError('say which way the score runs: higher_is="better" or higher_is="riskier"')

    @property
    def factor(self) -> float:
        """Points for one unit of log-odds of good:bad; negative when a higher score is riskier."""
        return (self.pdo if self.higher_is == "better" else -self.pdo) / math.log(2)

    @property
    def offset(self) -> float:
        """The score at even odds."""
        base = math.log(self.base_odds) if self.odds == "good:bad" else -math.log(self.base_odds)
        return self.base_score - self.factor * base

    def score(self, log_odds: float) -> float:
        """`log_odds`: natural logarithm of good:bad."""
        return self.offset + self.factor * log_odds

    def log_odds(self, score: float) -> float:
        """ln(good:bad) at a score."""
        return (score - self.offset) / self.factor

    def pd(self, score: float) -> float:
        """The probability of bad at a score, 0..1."""
        # Beyond +-700 the exponential leaves the range of a double; the probability is 0 or 1 long before.
        return 1.0 / (1.0 + math.exp(min(max(self.log_odds(score), -700.0), 700.0)))
