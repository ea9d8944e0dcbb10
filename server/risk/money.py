"""Dividing fen so that none is made and none is lost."""

from collections.abc import Mapping
from typing import Final

BASIS: Final = 10_000


def split(total_fen: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Parts in proportion to the weights that add up to the total: each is its exact share rounded down, and what
    rounding leaves goes, a fen each, to the largest remainders (Hamilton), earlier entries first among equals.

    Raises `ValueError` for a negative total or weight, or when no weight is above 0.
    """
    whole = sum(weights.values())
    if total_fen < 0 or whole <= 0 or min(weights.values()) < 0:
        raise ValueError("only what is not negative can be split, and by weights above 0")
    parts = {name: total_fen * weight // whole for name, weight in weights.items()}
    order = sorted(weights, key=lambda name: -(total_fen * weights[name] % whole))
    for name in order[: total_fen - sum(parts.values())]:
        parts[name] += 1
    return parts


def split_within(total_fen: int, weights: Mapping[str, int], most: Mapping[str, int]) -> dict[str, int]:
    """Like `split`, but no part above its `most`: what is too much for one goes to the others in the same proportion,
    and to those of weight 0 last. Raises `ValueError` when all of `most` together are less than the total.
    """
    if not 0 <= total_fen <= sum(most.values()):
        raise ValueError("the parts may not hold so much together")
    parts = dict.fromkeys(most, 0)
    left = total_fen
    while left:
        room = {name: most[name] - parts[name] for name in most if parts[name] < most[name]}
        shares = {name: weights.get(name, 0) for name in room}
        for name, part in split(left, shares if any(shares.values()) else room).items():
            taken = min(part, room[name])
            parts[name] += taken
            left -= taken
    return parts
