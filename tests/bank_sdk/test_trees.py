"""Tree models of a bank: taken as they are or refused, with a twin in the clear and a proof that they fit."""

import numpy as np
import pytest
from xinyidai.catalogue import builtin_catalogue
from xinyidai.framing import FrameKind, decode_leaves, decode_seeded
from xinyidai.parameters import TREES_8192

from bank_sdk import BankSdkError, ImportRefused, InputError, PointsOverflow, Split, Tree, TreeModel, UnknownFeature
from bank_sdk.models.encryption import encrypt_trees
from tests.support.trees import random_cells, random_ensemble, random_tree, small_catalogue

CATALOGUE = builtin_catalogue()
FEATURE = CATALOGUE.features[0]
STUMP = Tree(
    splits=(
        Split.below(FEATURE, 3, missing="left", not_applicable="right", not_authorized="right"),
        None,
        None,
    ),
    left=(1, 0, 0),
    right=(2, 0, 0),
    points=(0, -7, 12),
)


def score_at(model: TreeModel, cell: int) -> int:
    return model.score_cells([cell, *[0] * (len(CATALOGUE.features) - 1)])


def test_a_stump_says_which_cells_go_left() -> None:
    model = TreeModel("stump", CATALOGUE, (STUMP,), base_points=100)
    assert [score_at(model, cell) for cell in range(5)] == [93, 93, 93, 112, 112]
    assert (score_at(model, FEATURE.missing), score_at(model, FEATURE.not_applicable)) == (93, 112)
    proof = model.prove()
    assert (proof.spans, proof.largest, proof.limit, proof.depth, proof.leaves) == ((19,), 19, 1023, 1, 2)
    assert model.offset == 93
    assert "redacted" in repr(model) and "-7" not in repr(model) + repr(STUMP) + repr(STUMP.splits[0])


def test_path_costs_are_zero_for_the_leaf_a_record_reaches_and_for_no_other() -> None:
    catalogue, generator = small_catalogue(6, 9), np.random.default_rng(1)
    model = random_ensemble(catalogue, 7, 3, generator)
    columns = model.columns()
    points = np.array([leaf for tree in model.trees for leaf in tree.leaves])
    for _ in range(50):
        cells = random_cells(catalogue, generator)
        costs = columns[np.array(catalogue.layout.offsets) + cells].sum(axis=0)
        reached = costs == 0
        assert reached.reshape(7, 8).sum(axis=1).tolist() == [1] * 7 and costs.max() <= 3
        assert points[reached].sum() + model.base_points == model.score_cells(cells.tolist())


def test_the_proof_refuses_what_does_not_fit() -> None:
    generator = np.random.default_rng(2)
    fits = TreeModel("m", CATALOGUE, tuple(random_tree(CATALOGUE, 2, 341, generator) for _ in range(3)))
    assert fits.prove().headroom == 0
    wide = TreeModel("m", CATALOGUE, (*fits.trees, random_tree(CATALOGUE, 1, 1, generator)))
    with pytest.raises(PointsOverflow) as overflow:
        wide.prove()
    assert (overflow.value.largest, overflow.value.limit) == (1024, 1023)
    deep = TreeModel("m", CATALOGUE, (random_tree(CATALOGUE, 6, 10, generator),))
    with pytest.raises(ImportRefused, match="6 deep"):
        deep.prove()
    many = TreeModel("m", CATALOGUE, tuple(random_tree(CATALOGUE, 5, 1, generator) for _ in range(129)))
    with pytest.raises(ImportRefused, match="4128 leaves"):
        many.prove()


@pytest.mark.parametrize(
    ("left", "right", "points"),
    [
        ((1, 0), (2, 0, 0), (0, 1, 2)),
        ((0, 0, 0), (2, 0, 0), (0, 1, 2)),
        ((1, 0, 0), (1, 0, 0), (0, 1, 2)),
        ((1, 0, 0), (3, 0, 0), (0, 1, 2)),
        ((1, 0, 0), (2, 0, 0), (0, 1.5, 2)),
        ((1, 0, 0), (2, 0, 0), (0, float("nan"), 2)),
    ],
)
def test_arrays_that_are_no_tree_are_refused(left: tuple[int], right: tuple[int], points: tuple[int]) -> None:
    with pytest.raises(BankSdkError):
        Tree(STUMP.splits, left, right, points)


def test_splits_off_the_catalogue_are_refused() -> None:
    with pytest.raises(InputError, match="threshold"):
        Split.below(FEATURE, 0, missing="left", not_applicable="left", not_authorized="left")
    unknown, beyond = Split("no_such", frozenset()), Split(FEATURE.code, frozenset({999}))
    for split, error in ((unknown, UnknownFeature), (beyond, BankSdkError)):
        with pytest.raises(error):
            TreeModel("m", CATALOGUE, (Tree((split, None, None), STUMP.left, STUMP.right, STUMP.points),))
    with pytest.raises(InputError):
        TreeModel("m", CATALOGUE, (STUMP,)).score_cells([0])


def test_an_encrypted_model_has_a_fresh_seed_in_every_frame_and_digests_of_all_of_them() -> None:
    model = random_ensemble(small_catalogue(6, 9), 7, 3, np.random.default_rng(3))
    first, second = encrypt_trees(model), encrypt_trees(model)
    frames = list(first.frames())
    assert len(set(first.seeds) | set(second.seeds)) == 2 * len(frames)
    shape, leaves = decode_leaves(first.leaves)
    assert (shape.depth, shape.packing, leaves.parameters) == (3, 4, TREES_8192)
    assert len(first.switching) == 3 * 5 and len(first.columns) == -(-54 // 16)
    seeds = [leaves.seed, decode_seeded(first.zero, FrameKind.ZERO).seed]
    seeds += [decode_seeded(frame, FrameKind.SWITCH).seed for frame in first.switching]
    seeds += [decode_seeded(frame, FrameKind.COLUMNS).seed for frame in first.columns]
    assert tuple(seeds) == first.seeds
    assert first.weights_digest != second.weights_digest and first.zero_digest != second.zero_digest
