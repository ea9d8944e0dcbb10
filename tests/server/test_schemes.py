"""Dividing fen, and schemes of risk sharing as files."""

from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.risk.errors import SchemeInvalid
from server.risk.money import BASIS, split, split_within
from server.risk.scheme import parse_scheme
from tests.support.lending import SCHEME

WEIGHTS = st.dictionaries(st.sampled_from("abcde"), st.integers(0, BASIS), min_size=1)


# --- Money ------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**13), WEIGHTS)
def test_parts_add_up_to_the_whole(total: int, weights: dict[str, int]) -> None:
    if not any(weights.values()):
        return
    parts = split(total, weights)
    assert sum(parts.values()) == total
    whole = sum(weights.values())
    assert all(abs(parts[name] * whole - total * weight) < whole for name, weight in weights.items())


@given(WEIGHTS, st.lists(st.integers(0, 10**6), min_size=5, max_size=5), st.data())
def test_parts_within_bounds_add_up_too(weights: dict[str, int], bounds: list[int], data: st.DataObject) -> None:
    most = dict(zip("abcde", bounds, strict=True))
    total = data.draw(st.integers(0, sum(bounds)))
    parts = split_within(total, weights, most)
    assert sum(parts.values()) == total and all(0 <= parts[name] <= most[name] for name in most)
    with pytest.raises(ValueError, match="hold so much"):
        split_within(sum(bounds) + 1, weights, most)


@given(st.integers(1, 10**10), st.lists(st.integers(1, 10**9), max_size=8))
def test_what_is_recovered_in_pieces_makes_everybody_whole_and_nobody_more(total: int, pieces: list[int]) -> None:
    scheme = parse_scheme(SCHEME.encode())
    shares = split(total, scheme.tiers)
    left = dict(shares)
    for piece in [*pieces, total]:
        amount = min(piece, sum(left.values()))
        for party, part in split_within(amount, scheme.recovery, left).items():
            left[party] -= part
        assert min(left.values()) >= 0
    assert not any(left.values())


# --- Schemes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["four-two-two-two.toml", "city-pool.toml"])
def test_the_schemes_that_come_along_are_whole(name: str) -> None:
    scheme = parse_scheme(files("server.risk").joinpath("schemes", name).read_bytes())
    assert sum(scheme.tiers.values()) == sum(scheme.recovery.values()) == BASIS
    assert scheme.sources and scheme.tiers["bank"] >= 2000


@pytest.mark.parametrize(
    ("found", "instead", "said"),
    [
        ("4001", "4000", "sum to 9999"),
        ('"province"', '"guarantor"', "once at most"),
        ('"province"', '"county"', "once at most"),
        ('recovery = [{ party = "bank"', 'recovery = [{ party = "city"', "bears nothing"),
        ("version = 1", "version = 0", "version"),
        ("2026-01-01", "2028-01-01", "valid_from"),
        ("2026-01-01", "2026-01-01T00:00:00", "a day"),
        ("2026-01-01", '"2026-01-01"', "a day"),
        ("firm_fen = 300_000_000", "firm_fen = 100_000_000", "caps rise"),
        ("warn_bp = 3000", "warn_bp = 7000", "warn_bp"),
        ("claim_days = 365", "claim_days = 90", "claim_days"),
        ("[fuse]", "[fuses]", "unknown member"),
        ("confirmed = false", 'confirmed = "no"', "true or false"),
        ("confirmed = false", "colour = 1", "unknown member"),
        ('sources = ["made for these tests"]', "sources = []", "sources"),
        ("id =", "id = 1\nid =", "overwrite"),
    ],
)
def test_a_scheme_with_a_fault_is_refused_by_its_place(found: str, instead: str, said: str) -> None:
    assert found in SCHEME
    with pytest.raises(SchemeInvalid, match=said):
        parse_scheme(SCHEME.replace(found, instead, 1).encode())


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_bytes_that_are_no_scheme_are_refused(raw: bytes) -> None:
    with pytest.raises(SchemeInvalid):
        parse_scheme(raw)
