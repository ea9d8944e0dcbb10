"""Synthetic unified social credit codes and names: well formed, unique, and those of nobody.

A code follows GB 32100-2015: registrar and type, region, organisation code with its GB 11714 check character, check
character. Names carry a running number in Chinese digits, which no register would grant, so that they cannot be taken
for a real enterprise's.
"""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.random import Generator
from numpy.typing import NDArray

from clients.city.industries import TRADES
from clients.city.rows import Coded, joined, texts
from clients.city.timeline import Bools, Ints

REGIONS: Final = ("320703", "320706", "320707", "320722", "320723", "320724")
REGION_WEIGHTS: Final = (0.14, 0.34, 0.17, 0.16, 0.10, 0.09)
ENT_TYPES: Final = ("company", "sole_trader", "cooperative", "branch")
COMPANY, SOLE_TRADER, COOPERATIVE, BRANCH = range(4)

_ALPHABET: Final = np.frombuffer(b"0123456789ABCDEFGHJKLMNPQRTUWXY", dtype=np.uint8)
_WEIGHTS: Final = np.array([pow(3, i, 31) for i in range(17)])
_ORG_WEIGHTS: Final = np.array([3, 7, 9, 10, 5, 8, 4, 2])
_ORG_CHECK: Final = np.frombuffer(b"0123456789X", dtype=np.uint8)
_PREFIX: Final = np.frombuffer(b"91929391", dtype=np.uint8).reshape(4, 2)
_WORDS: Final = tuple(a + b for a in "云海山禾松溪晨岚" for b in "桥汀屿舟林川苑陌")
_FORMS: Final = ("有限公司", "经营部", "专业合作社", "有限公司分公司")
_DIGITS: Final = np.array(list("零一二三四五六七八九"))
_PRIME: Final = 60_000_011


def _base(numbers: Ints, base: int, width: int) -> Ints:
    return numbers[:, None] // base ** np.arange(width - 1, -1, -1) % base


def _organisation_codes(index: Ints, recent: Bools) -> NDArray[np.uint8]:
    """n x 9 characters. Eight digits before 2015, MA and six characters since; a bijection of `index` in either."""
    scattered = (index * _PRIME + 12_345_677) % 10**8
    digits = _ALPHABET[_base(scattered, 10, 8)]
    letters = _ALPHABET[_base((index * _PRIME + 7_654_321) % 31**6, 31, 6)]
    marked = np.concatenate([np.broadcast_to(np.frombuffer(b"MA", np.uint8), (len(index), 2)), letters], axis=1)
    body = np.where(recent[:, None], marked, digits)
    value = np.where(body >= 65, body.astype(np.int64) - 55, body.astype(np.int64) - 48)
    check = _ORG_CHECK[-(value @ _ORG_WEIGHTS) % 11]
    return np.concatenate([body, check[:, None]], axis=1)


def _check_values(body: NDArray[np.uint8]) -> Ints:
    lookup = np.zeros(128, dtype=np.int64)
    lookup[_ALPHABET] = np.arange(31)
    checks: Ints = -(lookup[body] @ _WEIGHTS) % 31
    return checks


def build_usccs(index: Ints, kind: Ints, region: Ints, recent: Bools, legacy: Bools) -> pa.Array:
    """Codes for enterprises numbered `index` (below 10^8). Where `legacy`, the check character is a wrong one."""
    regions = np.frombuffer("".join(REGIONS).encode(), dtype=np.uint8).reshape(len(REGIONS), 6)
    body = np.concatenate([_PREFIX[kind], regions[region], _organisation_codes(index, recent)], axis=1)
    check = _ALPHABET[(_check_values(body) + np.where(legacy, 7, 0)) % 31]
    whole = np.ascontiguousarray(np.concatenate([body, check[:, None]], axis=1))
    return pa.array(whole.view("S18").ravel().astype("U18"), pa.string())


def build_names(rng: Generator, index: Ints, kind: Ints, industry: Ints) -> pa.Array:
    """连云港, a landscape word, the running number, the trade and the legal form."""
    words = texts(Coded(rng.integers(0, len(_WORDS), len(index)), _WORDS))
    number = pa.array(np.ascontiguousarray(_DIGITS[_base(index, 10, 6)]).view("U6").ravel(), pa.string())
    return joined("连云港", words, number, texts(Coded(industry, TRADES)), texts(Coded(kind, _FORMS)))
