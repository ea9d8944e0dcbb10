"""Masks: fresh for every answer, repeatable for the same answer, chosen by nobody."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enclave.scoring.masking import MaskFields, expand_mask, mask_key
from tests.support.scoring import PARAMETERS, mask_for

EPOCH = bytes(range(32))
FIELDS = MaskFields(
    enclave_id="enclave-a",
    parameter_set=PARAMETERS.name,
    model_id="11" * 32,
    enterprise="914403001922038216",
    catalogue="22" * 32,
    active=np.array([3, 40, 77]),
    disclosure="total",
    category="",
    precision_points=0,
    flood_bound=PARAMETERS.flood_bound(0),
)
OTHER: dict[str, Any] = {
    "enclave_id": "enclave-b",
    "parameter_set": "linear-4096-t512",
    "model_id": "33" * 32,
    "enterprise": "91440300192317458F",
    "catalogue": "44" * 32,
    "active": np.array([3, 40, 78]),
    "disclosure": "by_category",
    "category": "tax_payment",
    "precision_points": 1,
    "flood_bound": PARAMETERS.flood_bound(1),
}


def test_every_field_is_tried() -> None:
    assert set(OTHER) == {field.name for field in dataclasses.fields(MaskFields)}


@pytest.mark.parametrize("name", OTHER)
def test_two_answers_that_differ_in_anything_never_share_a_mask(name: str) -> None:
    """Two models, two categories, two records, two precisions, two enclaves..."""
    other = dataclasses.replace(FIELDS, **{name: OTHER[name]})
    assert mask_key(EPOCH, FIELDS) != mask_key(EPOCH, other)
    one, two = (expand_mask(mask_key(EPOCH, f), PARAMETERS, FIELDS.flood_bound) for f in (FIELDS, other))
    assert one.flood != two.flood
    assert abs(float(np.corrcoef(one.u, two.u)[0, 1])) < 0.12, "unrelated, not only unequal"
    assert abs(float(np.corrcoef(one.error, two.error)[0, 1])) < 0.12


def test_a_new_epoch_has_new_masks() -> None:
    assert mask_key(EPOCH, FIELDS) != mask_key(bytes(32), FIELDS)


def test_the_same_answer_has_the_same_mask_in_whatever_order_its_cells_come() -> None:
    turned = dataclasses.replace(FIELDS, active=FIELDS.active[::-1])
    assert mask_key(EPOCH, FIELDS) == mask_key(EPOCH, turned)


TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=6)
ANY_FIELDS = st.builds(
    MaskFields,
    enclave_id=TEXT,
    parameter_set=TEXT,
    model_id=TEXT,
    enterprise=TEXT,
    catalogue=TEXT,
    active=st.lists(st.integers(0, 4095), max_size=4, unique=True).map(lambda cells: np.array(sorted(cells), np.int64)),
    disclosure=TEXT,
    category=TEXT,
    precision_points=st.integers(0, 255),
    flood_bound=st.integers(1, 1 << 88),
)


def plain(fields: MaskFields) -> tuple[Any, ...]:
    values = [getattr(fields, field.name) for field in dataclasses.fields(fields)]
    return tuple(tuple(v.tolist()) if isinstance(v, np.ndarray) else v for v in values)


@given(ANY_FIELDS, ANY_FIELDS)
@settings(max_examples=200, deadline=None)
def test_different_fields_never_have_the_same_encoding(one: MaskFields, two: MaskFields) -> None:
    assert (one.encode() == two.encode()) == (plain(one) == plain(two))


def renamed(texts: list[str]) -> dict[str, Any]:
    return dict(zip(("model_id", "enterprise", "catalogue", "category"), texts, strict=True))


@given(st.lists(TEXT, min_size=4, max_size=4), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_moving_characters_between_neighbouring_fields_changes_the_encoding(
    texts: list[str], left: int, cut: int
) -> None:
    """The classic mistake is to join fields without their lengths."""
    fields = dataclasses.replace(FIELDS, **renamed(texts))
    moved = list(texts)
    right = (left + 1) % 4
    moved[left], moved[right] = texts[left][:cut], texts[left][cut:] + texts[right]
    shifted = dataclasses.replace(FIELDS, **renamed(moved))
    assert (fields.encode() == shifted.encode()) == (moved == texts)


def test_u_is_uniform_over_the_three_values_and_e2_is_the_centred_binomial() -> None:
    masks = [mask_for(np.array([cell])) for cell in range(40)]
    u, error = np.concatenate([m.u for m in masks]), np.concatenate([m.error for m in masks])
    count = u.size
    for value in (-1, 0, 1):
        assert abs((u == value).mean() - 1 / 3) < 6 * np.sqrt(2 / 9 / count)
    assert set(np.unique(u)) == {-1, 0, 1}
    variance = PARAMETERS.error_eta / 2
    assert abs(error.mean()) < 6 * np.sqrt(variance / count)
    assert abs(error.var() / variance - 1) < 0.03
    assert int(np.abs(error).max()) <= PARAMETERS.error_eta


@pytest.mark.parametrize("precision", [0, 8, 255])
def test_the_flood_fills_its_interval_and_never_leaves_it(precision: int) -> None:
    bound = PARAMETERS.flood_bound(precision)
    floods = np.array([mask_for(np.array([cell]), precision=precision).flood / bound for cell in range(400)])
    assert floods.min() >= -1 and floods.max() < 1
    counts, _ = np.histogram(floods, bins=4, range=(-1, 1))
    assert counts.min() > 60, "four quarters of 100 expected hits each"


def test_the_flood_takes_both_ends_of_a_small_interval() -> None:
    floods = {expand_mask(mask_key(EPOCH, FIELDS)[:-1] + bytes([i]), PARAMETERS, 2).flood for i in range(64)}
    assert floods == {-2, -1, 0, 1}
