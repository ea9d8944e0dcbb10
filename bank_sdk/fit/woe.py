"""A scorecard from codes: coarse classing of cells, weight of evidence, logistic regression.

WOE of a class is ln(share of the goods / share of the bads), half a row added to each count. The classing merges
neighbouring cells bottom-up by the likelihood ratio (as ChiMerge does), after isotonic pooling where a feature must be
monotone; merging neighbours keeps an isotonic order. The regression is ridge-penalized maximum likelihood by Newton's
method, the objective of scikit-learn's `LogisticRegression(C=...)`: the tests hold the two against each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, Feature

from bank_sdk.errors import InputError
from bank_sdk.fit.additive import Additive, Numbers
from bank_sdk.fit.codes import Cells, Codes

_SMOOTHING = 0.5


@dataclass(frozen=True, slots=True)
class ScorecardOptions:
    max_classes: int = 6
    """Value classes of a feature; the missing, not-applicable and not-authorized cells come on top."""
    min_share: float = 0.04
    """Smallest share of the training rows in a class, and in a cell that is no value to be judged by itself."""
    min_iv: float = 0.02
    """Features with a smaller information value are left out."""
    merge_below: float = 3.84
    """Neighbours whose likelihood ratio is smaller are one class; 3.84 is the 95 % point of chi-square."""
    c: float = 1.0
    """Inverse strength of the ridge penalty."""
    positive_weights: bool = True
    """Leave out features whose weight turns their evidence round. False keeps those without a monotone constraint."""


@dataclass(slots=True)
class _Class:
    goods: float
    bads: float
    cells: int

    @property
    def rows(self) -> float:
        return self.goods + self.bads


def fit_scorecard(
    codes: Codes, bad: Numbers, catalogue: Catalogue, signs: Mapping[str, int], options: ScorecardOptions
) -> Additive:
    """Raises `InputError` when no feature is informative."""
    tables: dict[str, Numbers] = {}
    dropped: dict[str, str] = {}
    for code, cells in codes.items():
        woe, information = woe_table(catalogue.feature(code), cells, bad, signs[code], options)
        if information < options.min_iv:
            dropped[code] = f"information value {information:.4f} below {options.min_iv}"
        else:
            tables[code] = woe
    while tables:
        names = list(tables)
        design = np.column_stack([np.nan_to_num(tables[name])[codes[name]] for name in names])
        intercept, weights = logistic(design, 1 - bad, options.c)
        bound = np.array([options.positive_weights or signs[name] != 0 for name in names])
        worst = int(np.argmin(np.where(bound, weights, np.inf)))
        if not bound[worst] or weights[worst] > 0:
            contributions = {name: tables[name] * weight for name, weight in zip(names, weights, strict=True)}
            return Additive(intercept, contributions, dropped)
        # A negative weight turns the feature's evidence round, and with it a monotone constraint.
        dropped[names[worst]] = "its weight beside the other features is not positive"
        del tables[names[worst]]
    raise InputError("no feature separates goods from bads; look at min_iv and at the outcomes")


def woe_table(
    feature: Feature, cells: Cells, bad: Numbers, sign: int, options: ScorecardOptions
) -> tuple[Numbers, float]:
    """(WOE of every cell, information value). NaN in cells that are no value and have too few rows to be judged."""
    size = len(feature.cells)
    bads: Numbers = np.bincount(cells, weights=bad, minlength=size).astype(np.float64)
    goods: Numbers = np.bincount(cells, weights=1 - bad, minlength=size).astype(np.float64)
    least = options.min_share * bad.size
    classes = coarse_classes(goods[: feature.missing], bads[: feature.missing], sign, least, options)
    own = [at for at in range(feature.missing, size) if goods[at] + bads[at] >= max(least, 1)]
    counts = [(entry.goods, entry.bads) for entry in classes] + [(goods[at], bads[at]) for at in own]
    good_share = (np.array([g for g, _ in counts]) + _SMOOTHING) / (goods.sum() + _SMOOTHING * len(counts))
    bad_share = (np.array([b for _, b in counts]) + _SMOOTHING) / (bads.sum() + _SMOOTHING * len(counts))
    evidence = np.log(good_share / bad_share)
    if sign:
        # The half rows can reverse two classes that are as good as equal.
        ordered = np.maximum if sign > 0 else np.minimum
        evidence[: len(classes)] = ordered.accumulate(evidence[: len(classes)])
    woe = np.full(size, np.nan)
    woe[: feature.missing] = np.repeat(evidence[: len(classes)], [entry.cells for entry in classes])
    woe[own] = evidence[len(classes) :]
    return woe, float(((good_share - bad_share) * evidence).sum())


def coarse_classes(goods: Numbers, bads: Numbers, sign: int, least: float, options: ScorecardOptions) -> list[_Class]:
    """Classes of neighbouring value cells, by rising grid."""
    classes = [_Class(float(g), float(b), 1) for g, b in zip(goods, bads, strict=True)]
    if sign:
        classes = _pooled(classes, sign)
    while len(classes) > 1:
        costs = [_ratio(classes[i], classes[i + 1]) for i in range(len(classes) - 1)]
        thin = [i for i, entry in enumerate(classes) if entry.rows < least or min(entry.goods, entry.bads) < 1]
        if thin:
            place = min(thin, key=lambda i: classes[i].rows)
            sides = [i for i in (place - 1, place) if 0 <= i < len(costs)]
            at = min(sides, key=lambda i: costs[i])
        else:
            at = int(np.argmin(costs))
            if len(classes) <= options.max_classes and costs[at] >= options.merge_below:
                break
        classes[at : at + 2] = [_merged(classes[at], classes[at + 1])]
    return classes


def _pooled(classes: list[_Class], sign: int) -> list[_Class]:
    """Pool adjacent violators: the share of goods only rises (sign 1) or only falls (-1)."""
    pooled: list[_Class] = []
    for entry in classes:
        pooled.append(entry)
        # Products instead of shares, since a cell may be empty.
        while len(pooled) > 1 and sign * (pooled[-2].goods * pooled[-1].bads - pooled[-1].goods * pooled[-2].bads) >= 0:
            last = pooled.pop()
            pooled[-1] = _merged(pooled[-1], last)
    return pooled


def _merged(left: _Class, right: _Class) -> _Class:
    return _Class(left.goods + right.goods, left.bads + right.bads, left.cells + right.cells)


def _ratio(left: _Class, right: _Class) -> float:
    """Twice the log-likelihood lost by giving both one share of bads."""
    return 2 * (_likelihood(left) + _likelihood(right) - _likelihood(_merged(left, right)))


def _likelihood(entry: _Class) -> float:
    counts = np.array([entry.goods, entry.bads])
    held = counts[counts > 0]
    return float((held * np.log(held / counts.sum())).sum()) if held.size else 0.0


def logistic(design: Numbers, target: NDArray[np.float64], c: float) -> tuple[float, Numbers]:
    """(intercept, weights) that minimize |weights|^2 / 2 + c * (sum of the log losses); the intercept is free."""
    matrix = np.column_stack([np.ones(len(target)), design])
    penalty = np.diag([0.0, *[1.0 / c] * design.shape[1]])
    beta = np.zeros(matrix.shape[1])
    beta[0] = float(np.log(target.mean() / (1 - target.mean())))
    loss = _loss(matrix, target, beta, penalty)
    for _ in range(100):
        chance = 1 / (1 + np.exp(-(matrix @ beta)))
        gradient = matrix.T @ (chance - target) + penalty @ beta
        hessian = (matrix * (chance * (1 - chance))[:, None]).T @ matrix + penalty
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        size = 1.0
        while (trial := _loss(matrix, target, beta - size * step, penalty)) > loss and size > 1e-6:
            size /= 2
        beta, done = beta - size * step, abs(loss - trial) <= 1e-12 * max(1.0, abs(loss))
        loss = trial
        if done:
            break
    return float(beta[0]), beta[1:]


def _loss(matrix: Numbers, target: Numbers, beta: Numbers, penalty: Numbers) -> float:
    margin = matrix @ beta
    return float((np.logaddexp(0, margin) - target * margin).sum() + beta @ penalty @ beta / 2)
