"""A bank's side of scoring for tests: random scorecards over the real catalogue, and random records of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import builtin_catalogue
from xinyidai.framing import Residues
from xinyidai.parameters import LINEAR_4096_T1024, ParameterSet
from xinyidai.seal import SecretKey, expand

from enclave.scoring.linear import PreparedModel, prepare
from enclave.scoring.masking import Mask, MaskFields, expand_mask, mask_key

PARAMETERS: ParameterSet = LINEAR_4096_T1024
CATALOGUE = builtin_catalogue()
FEATURES = len(CATALOGUE.features)
CELLS = CATALOGUE.layout.size
OFFSETS = np.array(CATALOGUE.layout.offsets, np.int64)
COUNTS = np.array([len(feature.cells) for feature in CATALOGUE.features], np.int64)


def random_points(generator: np.random.Generator) -> NDArray[np.int64]:
    """Points for every cell such that the dearest record totals exactly t - 1."""
    shares = generator.multinomial(PARAMETERS.plain_modulus - 1, np.full(FEATURES, 1 / FEATURES))
    points = np.concatenate(
        [generator.integers(0, most + 1, count) for most, count in zip(shares, COUNTS, strict=True)]
    )
    points[OFFSETS] = shares
    return points


def random_active(generator: np.random.Generator) -> NDArray[np.int64]:
    """One cell of each feature."""
    return OFFSETS + generator.integers(0, COUNTS)


@dataclass(frozen=True, slots=True, eq=False)
class BankModel:
    key: SecretKey
    weights: Residues
    """W, both components, shape (2, 2, N)."""
    zero: Residues
    """P likewise."""

    def prepared(self) -> PreparedModel:
        return prepare(PARAMETERS, self.weights, self.zero)


def encrypt(points: NDArray[np.int64]) -> BankModel:
    key = SecretKey.generate(PARAMETERS)
    return BankModel(key, expand(key.encrypt_weights(points)), expand(key.encrypt_zero()))


def mask_for(
    active: NDArray[np.int64],
    *,
    model: str = "model",
    category: str = "",
    precision: int = 0,
    epoch_key: bytes = bytes(32),
    enterprise: str = "enterprise",
) -> Mask:
    """The mask the enclave would use."""
    bound = PARAMETERS.flood_bound(precision)
    fields = MaskFields(
        enclave_id="enclave-a",
        parameter_set=PARAMETERS.name,
        model_id=model,
        enterprise=enterprise,
        catalogue=CATALOGUE.digest,
        active=active,
        disclosure="by_category" if category else "total",
        category=category,
        precision_points=precision,
        flood_bound=bound,
    )
    return expand_mask(mask_key(epoch_key, fields), PARAMETERS, bound)
