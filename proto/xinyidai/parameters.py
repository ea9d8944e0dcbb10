"""Named, frozen parameter sets. Nothing ad hoc goes over the wire: a frame names one of these or is refused.

Source of the security level: Homomorphic Encryption Security Standard (2018), table for ternary secrets:
N = 4096 allows at most 109 bits of modulus for 128-bit classical security; the linear set uses 29 + 60 + 20.
N = 8192 allows at most 218 bits; the set for trees uses 56 + 60 + 60 + 42.
"""

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Final

CENTIBITS_PER_BIT = 100


class UnknownParameterSet(ValueError):
    """The named parameter set is not one of ours. Use a name from `PARAMETER_SETS`."""


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """One fixed instance of BFV, returning one coefficient.

    Not guaranteed: any property for a modulus or degree other than those written in this module.
    """

    name: str
    wire_id: int
    """One byte in every frame."""
    degree: int
    """N: the ring is Z[X]/(X^N + 1)."""
    primes: tuple[int, ...]
    """Data-level primes, q0 first. The flood is added modulo q0 * q1, and an answer is switched down to q0."""
    special_prime: int
    """Key-level prime of the library's chain; no ciphertext of ours lives there."""
    plain_modulus: int
    """t: a prime or a power of two; plaintexts live modulo t."""
    first_component_shift: int
    """Bits dropped from c0[0] on the wire, by rounding to nearest."""
    error_eta: int
    """e2 is centred binomial with this many coin pairs a coefficient."""
    score_step: int = 1
    """What one point of a score is, modulo t."""
    second_component_shift: int = 0
    """Bits dropped from every coefficient of c1 on the wire, by rounding to nearest."""

    @property
    def modulus(self) -> int:
        """q = q0 * q1, the modulus under which the flood is added."""
        return self.primes[0] * self.primes[1]

    @property
    def prime_bits(self) -> tuple[int, ...]:
        """Bits a residue takes on the wire, one entry a prime."""
        return tuple(prime.bit_length() for prime in self.primes)

    @property
    def first_component_bits(self) -> int:
        """Bits of c0[0] on the wire: no answer carries more, whatever else fails."""
        return self.prime_bits[0] - self.first_component_shift

    @property
    def second_component_bits(self) -> int:
        """Bits of a coefficient of c1 on the wire."""
        return self.prime_bits[0] - self.second_component_shift

    @property
    def score_modulus(self) -> int:
        """Scores are 0..score_modulus - 1."""
        return self.plain_modulus // self.score_step

    @property
    def max_precision_points(self) -> int:
        """The coarsest precision h that still returns at least one bit: (2h + 1) * 2 <= score_modulus."""
        return (self.score_modulus // 2 - 1) // 2

    @property
    def rounding_bound(self) -> int:
        """B: what an honest answer may be off by, in units of q1, before the flood.

        (1 + N) / 2 for switching the modulus with a ternary secret, one and a half for the honest noise (below 2^18,
        far under q1) and for rounding q*m/t, and half a step of the rounded c0.
        """
        return self.degree // 2 + 2 + (1 << self.first_component_shift) // 2

    @property
    def reserve(self) -> Fraction:
        """What of the rounding interval is kept free of the flood, in units of 1 modulo q."""
        return Fraction(self.rounding_bound * self.primes[1])

    def flood_bound(self, precision_points: int) -> int:
        """F: the flood is uniform in [-F, F). `precision_points` is h; the bank learns the score to within h points."""
        if not 0 <= precision_points <= self.max_precision_points:
            raise ValueError(f"precision_points must be 0..{self.max_precision_points}")
        point = Fraction(self.score_step * self.modulus, self.plain_modulus)
        exact = precision_points * point + point / 2 - self.reserve
        return exact.numerator // exact.denominator

    def centibits(self, precision_points: int) -> int:
        """Hundredths of a bit one answer can reveal: log2(q / 2F), rounded up, by exact integer arithmetic."""
        numerator: int = self.modulus**CENTIBITS_PER_BIT
        denominator: int = (2 * self.flood_bound(precision_points)) ** CENTIBITS_PER_BIT
        bits: int = max(0, numerator.bit_length() - denominator.bit_length() - 1)
        while numerator > denominator << bits:
            bits += 1
        return bits


@dataclass(frozen=True, slots=True)
class TreeParameterSet(ParameterSet):
    """An instance of BFV deep enough for a tree ensemble: a square or a product or two over leaves and path costs.

    Its reserve is a constant and no bound of the noise enters it: an eighth of Delta = q / t. docs/protocol.md shows
    that rounding the answer takes less than half of that, and that the noise of an honest model stays below the rest.
    """

    @property
    def reserve(self) -> Fraction:
        return Fraction(self.modulus, 8 * self.plain_modulus)


MAX_TREE_DEPTH: Final = 5
MAX_TREE_LEAVES: Final = 4096
"""Trees times 2^depth."""

LINEAR_4096_T1024 = ParameterSet(
    name="linear-4096-t1024",
    wire_id=1,
    degree=4096,
    primes=(536813569, 1152921504606830593),
    special_prime=1032193,
    plain_modulus=1024,
    first_component_shift=13,
    error_eta=21,
)

TREES_8192 = TreeParameterSet(
    name="trees-8192",
    wire_id=2,
    degree=8192,
    primes=(72057594037616641, 1152921504606748673, 1152921504606830593),
    special_prime=4398046150657,
    plain_modulus=65537,
    first_component_shift=36,
    error_eta=21,
    score_step=64,
    second_component_shift=22,
)

PARAMETER_SETS = MappingProxyType({entry.name: entry for entry in (LINEAR_4096_T1024, TREES_8192)})


def parameter_set(name: str) -> ParameterSet:
    """The set called `name`. Raises `UnknownParameterSet`."""
    try:
        return PARAMETER_SETS[name]
    except KeyError:
        raise UnknownParameterSet("unknown parameter set; use one of: " + ", ".join(PARAMETER_SETS)) from None
