"""Champion and challenger side by side, without the platform learning which is which.

What the platform and the enclave see of the two models is drawn the same way for both: the same enterprises under the
same authorizations, in blocks; in each block a fair coin says which model goes first, and each model's enterprises
come in an order of its own. So the transcript has the same distribution with the roles exchanged. Not hidden: that
two models were compared, when each was registered, whether one had been asked about an enterprise before, and which
of them the bank goes on using afterwards. Both are charged.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from xinyidai.authorization import Disclosure

from bank_sdk.decision import Action, Policy
from bank_sdk.errors import BankSdkError, InputError
from bank_sdk.keys import StoredModel
from bank_sdk.results import AssessmentResult, GrantedAuthorization, RegisteredModel
from bank_sdk.sync import BankClientSync
from bank_sdk.verification import TOTAL, range_of

BLOCK: Final = 256
_random = secrets.SystemRandom()
Outcome = AssessmentResult | BankSdkError


@dataclass(frozen=True, slots=True)
class Pair:
    enterprise: str
    champion: Outcome = field(repr=False)
    challenger: Outcome = field(repr=False)

    @property
    def complete(self) -> bool:
        return not isinstance(self.champion, BankSdkError) and not isinstance(self.challenger, BankSdkError)


@dataclass(frozen=True, slots=True)
class SwapCell:
    champion: Action
    challenger: Action
    enterprises: int
    bads: int | None
    """Known bads among them, when outcomes were given."""


@dataclass(frozen=True, slots=True)
class Comparison:
    pairs: Sequence[Pair] = field(repr=False)
    """In the order the enterprises were given."""

    @property
    def complete(self) -> tuple[Pair, ...]:
        """Those that both models have a score of."""
        return tuple(pair for pair in self.pairs if pair.complete)

    def swap_set(
        self, champion: Policy, challenger: Policy, outcomes: Mapping[str, int] | None = None
    ) -> tuple[SwapCell, ...]:
        """How many enterprises each pair of actions has, nine cells in fixed order; enterprises without both scores are
        left out. `outcomes`: enterprise -> 1 bad, 0 good, where known; swapped-in enterprises seldom have one."""
        counts = {(a, b): [0, 0] for a in Action for b in Action}
        for pair in self.complete:
            cell = counts[_action(pair.champion, champion), _action(pair.challenger, challenger)]
            cell[0] += 1
            cell[1] += (outcomes or {}).get(pair.enterprise, 0)
        return tuple(
            SwapCell(a, b, enterprises, None if outcomes is None else bads)
            for (a, b), (enterprises, bads) in counts.items()
        )


def compare(
    client: BankClientSync,
    enterprises: Iterable[str],
    champion: RegisteredModel | str,
    challenger: RegisteredModel | str,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Assess every enterprise with both models.

    What concerns one enterprise alone stands in its pair as an error. Raises `InputError` when the two are the same
    model, are on different catalogues, or differ in what precision they can be asked at; and whatever ends a whole
    run.
    """
    names = list(dict.fromkeys(enterprises))
    stored = [client.stored(champion), client.stored(challenger)]
    if stored[0].model_id == stored[1].model_id:
        raise InputError("champion and challenger are the same model")
    if stored[0].catalogue_digest != stored[1].catalogue_digest:
        raise InputError("champion and challenger are on different catalogues; no authorization serves both")
    # Chosen once, so that both models ask under the same authorization even if another is granted meanwhile.
    chosen = client.usable_authorizations(stored[0].model_id, names)
    _check_room(stored, chosen.values())
    found: tuple[dict[str, Outcome], dict[str, Outcome]] = ({}, {})
    for at in range(0, len(names), BLOCK):
        block = names[at : at + BLOCK]
        for role in _random.sample((0, 1), 2):
            items = _random.sample(block, len(block))
            asked: list[str | GrantedAuthorization] = [chosen.get(name, name) for name in items]
            answers = client.assess_many(asked, stored[role].model_id)
            for name, (_, outcome) in zip(items, answers, strict=True):
                found[role][name] = outcome
        if on_progress is not None:
            on_progress(len(block))
    return Comparison(tuple(Pair(name, found[0][name], found[1][name]) for name in names))


def _check_room(stored: Sequence[StoredModel], grants: Iterable[GrantedAuthorization]) -> None:
    """A question one model has no room for is never sent, which would tell the two models apart."""
    asked = {(g.terms.precision_points, g.terms.disclosure, g.terms.categories) for g in grants}
    for precision, disclosure, categories in asked:
        parts = categories if disclosure is Disclosure.BY_CATEGORY else (TOTAL,)
        rooms = set()
        for model in stored:
            largest = max(range_of(model, part)[1] for part in parts)
            rooms.add(largest + 2 * precision < model.secret_key.parameters.score_modulus)
        if len(rooms) > 1:
            raise InputError(f"only one of the models has room for a precision of {precision} points; scale the other")


def _action(outcome: Outcome, policy: Policy) -> Action:
    if isinstance(outcome, BankSdkError):
        raise outcome
    return policy.decide(outcome).action
