"""Named, frozen parameter sets. Nothing ad hoc goes over the wire: a frame names one of these or is refused.

Source of the security level: Homomorphic Encryption Security Standard (2018), table for ternary secrets:
N = 4096 allows at most 109 bits of modulus for 128-bit classical security; the chain below uses 29 + 60 + 20.
"""

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

CENTIBITS_PER_BIT = 100


class UnknownParameterSet(ValueError):
    """The named parameter set is not one of ours. Use a name from `PARAMETER_SETS`."""


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """One fixed instance of BFV with coefficient encoding, returning one coefficient.

    Not guaranteed: any property for a modulus or degree other than those written in this module.
    """

    name: str
    wire_id: int
    """One byte in every frame."""
    degree: int
    """N: the ring is Z[X]/(X^N + 1)."""
    primes: tuple[int, int]
    """Data-level primes (q0, q1). An answer is switched down to q0."""
    special_prime: int
    """Key-level prime of the library's chain; no ciphertext of ours lives there."""
    plain_modulus: int
    """t: scores are 0..t-1."""
    first_component_shift: int
    """Bits dropped from c0[0] on the wire, by rounding to nearest."""
    error_eta: int
    """e2 is centred binomial with this many coin pairs a coefficient."""

    @property
    def modulus(self) -> int:
        """q = q0 * q1, the data-level ciphertext modulus."""
        return self.primes[0] * self.primes[1]

    @property
    def prime_bits(self) -> tuple[int, int]:
        """Bits a residue takes on the wire, one entry a prime."""
        return (self.primes[0].bit_length(), self.primes[1].bit_length())

    @property
    def max_precision_points(self) -> int:
        """The coarsest precision h that still returns at least one bit: (2h + 1) * 2 <= t."""
        return (self.plain_modulus // 2 - 1) // 2

    @property
    def rounding_bound(self) -> int:
        """B: what an honest answer may be off by, in units of q1, before the flood.

        (1 + N) / 2 for switching the modulus with a ternary secret, one and a half for the honest noise (below 2^18,
        far under q1) and for rounding q*m/t, and half a step of the rounded c0.
        """
        return self.degree // 2 + 2 + (1 << self.first_component_shift) // 2

    def flood_bound(self, precision_points: int) -> int:
        """F: the flood is uniform in [-F, F). `precision_points` is h; the bank learns the score to within h points."""
        if not 0 <= precision_points <= self.max_precision_points:
            raise ValueError(f"precision_points must be 0..{self.max_precision_points}")
        delta = Fraction(self.modulus, self.plain_modulus)
        exact = precision_points * delta + delta / 2 - self.rounding_bound * self.primes[1]
        return exact.numerator // exact.denominator

    def centibits(self, precision_points: int) -> int:
        """Hundredths of a bit one answer can reveal: log2(q / 2F), rounded up, by exact integer arithmetic."""
        numerator: int = self.modulus**CENTIBITS_PER_BIT
        denominator: int = (2 * self.flood_bound(precision_points)) ** CENTIBITS_PER_BIT
        bits: int = max(0, numerator.bit_length() - denominator.bit_length() - 1)
        while numerator > denominator << bits:
            bits += 1
        return bits


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

PARAMETER_SETS = MappingProxyType({LINEAR_4096_T1024.name: LINEAR_4096_T1024})


def parameter_set(name: str) -> ParameterSet:
    """The set called `name`. Raises `UnknownParameterSet`."""
    try:
        return PARAMETER_SETS[name]
    except KeyError:
        raise UnknownParameterSet("unknown parameter set; use one of: " + ", ".join(PARAMETER_SETS)) from None
