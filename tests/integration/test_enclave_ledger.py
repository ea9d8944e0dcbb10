"""What an enterprise's word and the ledger hold against a bank that asks again and again, past the platform."""

import secrets
from dataclasses import replace
from typing import Any

import numpy as np
from xinyidai.reasons import Reason
from xinyidai.statements import Action
from xinyidai.v1 import authorization_pb2, enclave_pb2

from tests.support.bare import BareEnclave
from tests.support.parties import Refusal, random_points, refused, stamp


class TestStates:
    def test_pause_resume_revoke_hold_at_once(self, bare: BareEnclave) -> None:
        enterprise = bare.enterprise(30)
        model = bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(9)))
        digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank))

        def ask() -> None:
            bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)]))

        ask()
        bare.direct.state(enterprise.statement(Action.PAUSE, digest))
        with refused(Reason.AUTHORIZATION_PAUSED):
            ask()
        bare.direct.state(enterprise.statement(Action.RESUME, digest))
        ask()
        bare.direct.state(enterprise.statement(Action.REVOKE, digest))
        with refused(Reason.AUTHORIZATION_REVOKED):
            ask()
        with refused(Reason.AUTHORIZATION_REVOKED):
            bare.direct.state(enterprise.statement(Action.RESUME, digest))

    def test_nobody_revokes_for_another(self, bare: BareEnclave) -> None:
        owner, other = bare.enterprise(31), bare.enterprise(32)
        digest = bare.direct.submit(owner, owner.terms(bare.bank))
        bare.direct.state(other.statement(Action.REVOKE, digest))
        (entry,) = bare.direct.usage(owner).authorizations
        assert entry.state == authorization_pb2.AUTHORIZATION_STATE_ACTIVE

    def test_nobody_reads_anothers_usage(self, bare: BareEnclave) -> None:
        owner, other = bare.enterprise(33), bare.enterprise(34)
        disguised = other.access().split(".")
        disguised[1] = owner.access().split(".")[1]
        with refused(Reason.SIGNATURE_INVALID):
            bare.direct.call("GetUsage", enclave_pb2.GetUsageRequest(access=".".join(disguised)))


class TestLedger:
    def test_repeats_are_free_and_the_same_fresh_ones_are_charged(self, bare: BareEnclave) -> None:
        enterprise = bare.enterprise(40)
        model = bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(10)))
        digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank))

        def ask(*, fresh: bool = False) -> Any:
            return bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)], fresh=fresh))

        first, again = ask(), ask()
        assert (first.receipt, first.parts[0].answer) == (again.receipt, again.parts[0].answer)
        fresh = ask(fresh=True)
        # A new assessment even where nothing changed: its bytes are equal, and that costs as much as any.
        assert fresh.receipt != first.receipt and fresh.parts[0].answer == first.parts[0].answer
        usages = bare.direct.usage(enterprise).usages
        assert [(u.centibits, u.repeats) for u in usages] == [(1004, 0), (1004, 1)]

    def test_an_authorization_is_used_up(self, bare: BareEnclave) -> None:
        enterprise = bare.enterprise(41)
        model = bare.direct.register(bare.bank, random_points(bare.catalogue, np.random.default_rng(11)))
        digest = bare.direct.submit(enterprise, enterprise.terms(bare.bank, max_assessments=1))
        bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)]))
        with refused(Reason.AUTHORIZATION_USED_UP):
            bare.direct.assess(bare.bank.request(model.model_id, [(enterprise.uscc, digest)], fresh=True))

    def test_42_models_that_would_read_every_feature_get_three(self, bare: BareEnclave) -> None:
        """At two features a model, 42 hostile models would read 84 features. The budget of 32 bits allows three models,
        whatever they ask; only a signed statement of the enterprise raises it."""
        enterprise = bare.enterprise(42)
        generator = np.random.default_rng(12)
        grants = [bare.direct.submit(enterprise, enterprise.terms(bare.bank)) for _ in range(5)]
        answered, reasons = 0, []
        for number in range(42):
            model = bare.direct.register(bare.bank, random_points(bare.catalogue, generator))
            try:
                bare.direct.score(bare.bank, model, enterprise.uscc, grants[number % len(grants)])
                answered += 1
            except Refusal as refusal:
                reasons.append(refusal.reason)
        assert answered == 3
        assert reasons == [Reason.BUDGET_BANK_EXHAUSTED] * 39
        spent = {b.bank_id: (b.spent_centibits, b.limit_centibits) for b in bare.direct.usage(enterprise).budgets}
        assert spent == {"": (3012, 12800), "bank-a": (3012, 3200)}

        bare.direct.state(enterprise.statement(Action.SET_BUDGET, bank="bank-a", centibits=9000))
        bare.direct.score(bare.bank, model, enterprise.uscc, grants[0])
        bare.direct.state(enterprise.statement(Action.SET_BUDGET, centibits=0))
        with refused(Reason.BUDGET_TOTAL_EXHAUSTED):
            bare.direct.score(bare.bank, model, enterprise.uscc, grants[1])


def test_nonces_are_the_banks_own(bare: BareEnclave) -> None:
    """One bank cannot block another by spending its nonces."""
    nonce = secrets.token_urlsafe(24)
    for number, bank in ((59, bare.bank), (60, bare.other_bank)):
        enterprise = bare.enterprise(number)
        model = bare.direct.register(bank, random_points(bare.catalogue, np.random.default_rng(14)))
        digest = bare.direct.submit(enterprise, enterprise.terms(bank))
        same = replace(stamp(bank.bank_id), nonce=nonce)
        bare.direct.assess(bank.request(model.model_id, [(enterprise.uscc, digest)], stamp=same))
