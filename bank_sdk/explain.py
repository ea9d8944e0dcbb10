"""Reason codes from the bank's own model, where the authorization discloses by category.

A category's reason is the points it lost against the best the model allows there. Nothing is asked of anyone: the
parts of an answer and the model's own ranges are all it takes. A total discloses no reasons.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xinyidai.catalogue import Catalogue, Category, Text

from bank_sdk.errors import InputError
from bank_sdk.keys import StoredModel
from bank_sdk.models.scorecard import CategoryRange, Scorecard
from bank_sdk.results import AssessmentResult, ScoreInterval

DEFAULT_REASONS = 4
"""More than four are not likely to be helpful (Regulation B, comment 9(b)(2)-1)."""


@dataclass(frozen=True, slots=True)
class ReasonCode:
    """One principal reason. `zh` and `en` are meant for the enterprise; the points are the bank's alone."""

    code: str
    """Category code, with ".not_authorized" behind it when the enterprise left the category out."""
    zh: str
    en: str
    lost_at_least: int = field(repr=False)
    """Points certainly lost against the best of the category."""
    lost_at_most: int = field(repr=False)
    """Larger than `lost_at_least` when the answer is an interval."""


def reasons(
    result: AssessmentResult,
    model: Scorecard | StoredModel,
    catalogue: Catalogue,
    *,
    most: int = DEFAULT_REASONS,
    texts: Mapping[str, Text] | None = None,
) -> tuple[ReasonCode, ...]:
    """At most `most` reasons, the largest certain loss first.

    Order: points certainly lost, then points possibly lost, then the catalogue's order of categories, so that ties
    never break by chance. Categories that may have lost nothing are no reason. `texts`: the bank's own words, by
    code. A model whose higher score is riskier has no such reasons: turn its points round. Raises `InputError` for a
    total.
    """
    if not result.categories:
        raise InputError("the authorization discloses a total, which has no reasons; ask for disclosure by category")
    ranges = model.category_ranges if isinstance(model, Scorecard) else model.categories
    found = []
    for category in catalogue.categories:
        entry = ranges.get(category.code)
        if entry is not None:
            found.append(_reason(category, entry, result, texts or {}))
    certain = [reason for reason in found if reason.lost_at_least > 0]
    # The sort is stable: what is equal keeps the catalogue's order.
    certain.sort(key=lambda reason: (-reason.lost_at_least, -reason.lost_at_most))
    return tuple(certain[:most])


def _reason(
    category: Category, entry: CategoryRange, result: AssessmentResult, texts: Mapping[str, Text]
) -> ReasonCode:
    best = entry.offset + entry.span
    part = result.categories.get(category.code)
    if part is None:
        code, lost = f"{category.code}.not_authorized", (best - entry.withheld, best - entry.withheld)
        text = Text(f"未授权使用“{category.title.zh}”", f"No authorization to use: {category.title.en}")
    else:
        interval = part if isinstance(part, ScoreInterval) else ScoreInterval(part, part)
        code, lost = category.code, (best - interval.high, best - interval.low)
        text = Text(f"“{category.title.zh}”方面的表现有待提高", f"Standing could be better in: {category.title.en}")
    text = texts.get(code, text)
    return ReasonCode(code, text.zh, text.en, *lost)
