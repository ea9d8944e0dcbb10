"""A bank's side of trees for tests: small catalogues, random ensembles, and their encryption in this process."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue
from xinyidai.catalogue.model import Category, Direction, Feature, FeatureKind, Text
from xinyidai.framing import FrameKind, Residues, decode_leaves, decode_seeded
from xinyidai.parameters import TREES_8192
from xinyidai.seal import SecretKey, expand

from bank_sdk.models.encryption import EncryptedTrees, encrypt_trees
from bank_sdk.models.trees import Side, Split, Tree, TreeModel
from enclave.scoring.masking import Mask, expand_mask
from enclave.scoring.trees import PreparedTrees, prepare

SIDES: tuple[Side, Side] = ("left", "right")
Integers = NDArray[np.int64]


def small_catalogue(features: int, cells: int) -> Catalogue:
    """`cells` counts the three that are no value."""
    title = Text("测试", "test")

    def feature(number: int) -> Feature:
        grid = tuple(float(edge) for edge in range(1, cells - 3))
        return Feature(
            code=f"feature_{number}", category="only", title=title, definition="", unit="", direction=Direction.HIGHER,
            kind=FeatureKind.CONTINUOUS, window="", sources=("only",), edges=grid, anchored=(), grid=grid, field=None,
            figures=(), evidence="P",
        )  # fmt: skip

    category = Category(
        number=1, code="only", group=None, title=title, holders=(), provenance="", cadence="", lag_months=0,
        sensitivity="", sharing="", hits_only=False, attests_coverage=False, evidence="P", fields=(),
        features=tuple(feature(number) for number in range(features)),
    )  # fmt: skip
    return Catalogue("small", "1", title, "", (), (), (), (category,), f"{features} by {cells}".encode())


def random_split(catalogue: Catalogue, generator: np.random.Generator) -> Split:
    """Half of them by a threshold, half by any set of cells."""
    feature = catalogue.features[generator.integers(len(catalogue.features))]
    if generator.integers(2):
        left = np.flatnonzero(generator.integers(0, 2, len(feature.cells)))
        return Split(feature.code, frozenset(left.tolist()))
    missing, applicable, authorized = (SIDES[i] for i in generator.integers(0, 2, 3))
    threshold = int(generator.integers(1, len(feature.grid) + 1))
    return Split.below(feature, threshold, missing=missing, not_applicable=applicable, not_authorized=authorized)


def random_tree(catalogue: Catalogue, depth: int, span: int, generator: np.random.Generator) -> Tree:
    """Complete, of this depth; the dearest leaf less the cheapest is `span`."""
    inner, count = (1 << depth) - 1, (1 << depth + 1) - 1
    points = generator.integers(0, span + 1, count)
    points[inner], points[inner + 1] = 0, span
    return Tree(
        splits=tuple(random_split(catalogue, generator) if node < inner else None for node in range(count)),
        left=tuple(2 * node + 1 for node in range(count)),
        right=tuple(2 * node + 2 for node in range(count)),
        points=tuple((points - generator.integers(0, 50)).tolist()),
    )


def random_ensemble(catalogue: Catalogue, trees: int, depth: int, generator: np.random.Generator) -> TreeModel:
    """The dearest record would total exactly 1023."""
    spans = generator.multinomial(TREES_8192.score_modulus - 1, np.full(trees, 1 / trees))
    made = tuple(random_tree(catalogue, depth, int(span), generator) for span in spans)
    return TreeModel("random", catalogue, made, base_points=300)


def random_cells(catalogue: Catalogue, generator: np.random.Generator) -> Integers:
    return generator.integers(0, [len(feature.cells) for feature in catalogue.features])


def active_of(catalogue: Catalogue, cells: Integers) -> Integers:
    return np.array(catalogue.layout.offsets, np.int64) + cells


def expanded(frames: tuple[bytes, ...]) -> Residues:
    """Packed columns, both components, shape (ciphertexts, 2, primes, N)."""
    return np.stack([expand(decode_seeded(frame, FrameKind.COLUMNS)) for frame in frames])


def prepared(encrypted: EncryptedTrees) -> PreparedTrees:
    shape, leaves = decode_leaves(encrypted.leaves)
    switching = [decode_seeded(frame, FrameKind.SWITCH) for frame in encrypted.switching]
    zero = decode_seeded(encrypted.zero, FrameKind.ZERO)
    return prepare(TREES_8192, shape, leaves, zero, switching, expanded(encrypted.columns))


@dataclass(frozen=True, slots=True, eq=False)
class BankTrees:
    model: TreeModel
    key: SecretKey
    prepared: PreparedTrees


def bank_trees(model: TreeModel) -> BankTrees:
    encrypted = encrypt_trees(model)
    return BankTrees(model, encrypted.key, prepared(encrypted))


def mask_of(seed: int, precision: int = 0) -> Mask:
    return expand_mask(seed.to_bytes(32, "big"), TREES_8192, TREES_8192.flood_bound(precision))


def pinned(mask: Mask, flood: int) -> Mask:
    return Mask(mask.u, mask.error, flood)
