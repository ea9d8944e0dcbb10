"""The layout of a tree ensemble's plaintexts: slots of a subring, several columns in one polynomial.

With k = 2^packing, polynomials in Y = X^k form a subring of Z_t[X]/(X^N + 1) with n = N / k slots: its values at the n
odd powers of a 2n-th root of unity modulo t. A column gives each leaf one slot. One polynomial holds k columns,
sum over i < k of X^i a_i(X^k): coefficient i + k m is coefficient m of column i. Which slot a leaf has is nobody's
business but the bank's; leaves and columns must agree, and here they do by construction.
"""

import numpy as np
from numpy.typing import NDArray

from xinyidai.framing import MAX_PACKING
from xinyidai.parameters import TreeParameterSet

Integers = NDArray[np.int64]

_GENERATOR = 3
"""Of the multiplicative group modulo t = 65537: every Fermat prime above 3 has it."""


def packing_for(parameters: TreeParameterSet, leaves: int) -> int:
    """log2 of the most columns one ciphertext can hold when each has `leaves` slots; at least 1."""
    return max(r for r in range(1, MAX_PACKING + 1) if r == 1 or parameters.degree >> r >= leaves)


def pack_columns(parameters: TreeParameterSet, values: Integers, packing: int) -> Integers:
    """Coefficients modulo t, shape (ceil(columns / k), N), from slot values, shape (columns, leaves).

    Divided by k, which the projection multiplies by. Leaves beyond those given, and columns that fill up the last
    ciphertext, are 0.
    """
    k, t = 1 << packing, parameters.plain_modulus
    columns = _subring(parameters, values * pow(k, -1, t) % t, packing)
    padded = np.zeros((-(-columns.shape[0] // k) * k, columns.shape[1]), np.int64)
    padded[: columns.shape[0]] = columns
    return padded.reshape(-1, k, columns.shape[1]).transpose(0, 2, 1).reshape(-1, parameters.degree)


def spread_leaves(parameters: TreeParameterSet, values: Integers, packing: int) -> Integers:
    """Coefficients modulo t, shape (N,), of the polynomial in X^k with these slot values, shape (leaves,), times n.

    The sum over n slots is n times coefficient 0, so coefficient 0 of anything times this is the sum itself.
    """
    slots = parameters.degree >> packing
    coefficients = np.zeros(parameters.degree, np.int64)
    scaled = values[None] * slots % parameters.plain_modulus
    coefficients[:: 1 << packing] = _subring(parameters, scaled, packing)[0]
    return coefficients


def _subring(parameters: TreeParameterSet, values: Integers, packing: int) -> Integers:
    """Slot values, shape (m, leaves), to coefficients in Y, shape (m, n)."""
    n, t = parameters.degree >> packing, parameters.plain_modulus
    if values.shape[1] > n:
        raise ValueError(f"{values.shape[1]} leaves do not fit {n} slots")
    slots = np.zeros((values.shape[0], n), np.int64)
    slots[:, : values.shape[1]] = values % t
    root = pow(_GENERATOR, (t - 1) // (2 * n), t)
    # a_m = 1/n * root^-m * sum_i v_i root^(-2 i m), v_i the value at root^(2 i + 1).
    untwist = _powers(pow(root, -1, t), n, t) * pow(n, -1, t) % t
    return _transform(slots, pow(root, -2, t), t) * untwist % t


def _powers(base: int, count: int, modulus: int) -> Integers:
    powers = [1]
    for _ in range(count - 1):
        powers.append(powers[-1] * base % modulus)
    return np.array(powers, np.int64)


def _transform(values: Integers, root: int, modulus: int) -> Integers:
    """sum_i v_i root^(i m) along the last axis, by splitting into even and odd places."""
    if values.shape[-1] == 1:
        return values
    even, odd = (_transform(values[..., i::2], root * root % modulus, modulus) for i in (0, 1))
    turned = odd * _powers(root, odd.shape[-1], modulus) % modulus
    return np.concatenate([(even + turned) % modulus, (even - turned) % modulus], axis=-1)
