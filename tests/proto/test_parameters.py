"""The named parameter set: what its numbers must satisfy for the protocol's claims to hold."""

from fractions import Fraction
from itertools import pairwise

import pytest
from xinyidai.parameters import LINEAR_4096_T1024, PARAMETER_SETS, UnknownParameterSet, parameter_set

P = LINEAR_4096_T1024
CHAIN = (*P.primes, P.special_prime)


def is_prime(number: int) -> bool:
    """Miller-Rabin with the bases that decide every number below 3.3 * 10^24 (Sorenson and Webster, 2015)."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41):
        value = pow(base, odd, number)
        if value not in (1, number - 1) and all(
            (value := value * value % number) != number - 1 for _ in range(twos - 1)
        ):
            return False
    return True


@pytest.mark.parametrize("prime", CHAIN)
def test_primes_are_prime_and_fit_the_transform(prime: int) -> None:
    assert is_prime(prime)
    assert prime % (2 * P.degree) == 1, "a primitive 2N-th root of unity exists"


def test_the_chain_keeps_to_the_security_table() -> None:
    """Homomorphic Encryption Security Standard: 109 bits at N = 4096 for 128 bits and ternary secrets."""
    assert [p.bit_length() for p in CHAIN] == [29, 60, 20]
    assert sum(p.bit_length() for p in CHAIN) <= 109
    product = P.primes[0] * P.primes[1] * P.special_prime
    assert product.bit_length() <= 109


@pytest.mark.parametrize(("precision", "centibits"), [(0, 1004), (8, 592), (31, 403)])
def test_the_charge_is_the_cap_rounded_up_by_exact_integers(precision: int, centibits: int) -> None:
    """2^(centibits/100) >= q / 2F > 2^((centibits-1)/100), both sides raised to the hundredth power."""
    q, width = P.modulus, 2 * P.flood_bound(precision)
    assert P.centibits(precision) == centibits
    assert 2 ** (centibits - 1) * width**100 < q**100 <= 2**centibits * width**100


@pytest.mark.parametrize("precision", range(256))
def test_every_precision_is_charged_for_exactly(precision: int) -> None:
    q, width, bits = P.modulus, 2 * P.flood_bound(precision), P.centibits(precision)
    assert 2 ** (bits - 1) * width**100 < q**100 <= 2**bits * width**100


def test_coarser_answers_cost_less_and_none_is_free() -> None:
    charges = [P.centibits(h) for h in range(P.max_precision_points + 1)]
    assert all(a >= b for a, b in pairwise(charges))
    assert charges[-1] >= 100


def test_flood_and_noise_together_never_reach_the_rounding_limit() -> None:
    """F + B*q1 <= (h + 1/2) * Delta, so an honest score is off by at most h points, with certainty."""
    delta = Fraction(P.modulus, P.plain_modulus)
    for precision in (0, 1, 8, 31, 255):
        limit = (precision + Fraction(1, 2)) * delta
        flood = P.flood_bound(precision)
        assert flood + P.rounding_bound * P.primes[1] <= limit < flood + 1 + P.rounding_bound * P.primes[1]


def test_the_rounding_bound_covers_every_rounding_and_the_honest_noise() -> None:
    """In units of q1. Switching by a ternary secret: (1 + N)/2. Dropping bits of c0: half a step. The honest noise
    before the switch is below 2^18, the rounding of q*m/t below 1, both nothing beside q1: half a unit is plenty."""
    switching = Fraction(1 + P.degree, 2)
    dropping = Fraction(1 << P.first_component_shift, 2)
    assert P.rounding_bound >= switching + dropping + Fraction(1 << 18, P.primes[1]) + Fraction(1, 2)


@pytest.mark.parametrize("precision", [-1, 256])
def test_a_precision_outside_the_range_is_refused(precision: int) -> None:
    with pytest.raises(ValueError, match=r"0\.\.255"):
        P.flood_bound(precision)


def test_sets_are_named_and_distinct() -> None:
    assert parameter_set("linear-4096-t1024") is P
    assert len({p.wire_id for p in PARAMETER_SETS.values()}) == len(PARAMETER_SETS)
    with pytest.raises(UnknownParameterSet):
        parameter_set("linear-8192")


def test_the_rounded_first_component_fits_sixteen_bits() -> None:
    largest = P.primes[0] - 1
    assert (largest + (1 << (P.first_component_shift - 1))) >> P.first_component_shift < 1 << 16
