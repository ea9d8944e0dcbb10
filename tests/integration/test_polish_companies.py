"""Real companies with real outcomes, under a catalogue of their own, through the whole running system.

Every decrypted score equals the scorecard's integer points in the clear, so AUC and KS are the same numbers.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve
from xinyidai.catalogue import parse_catalogue

from bank_sdk import Scorecard
from clients.dev.deployment import Deployment
from clients.dev.system import System
from tests.support import polish
from tests.support.parties import DirectEnclave, RawBank, RawEnterprise
from tests.support.running import bank_client

HELD_OUT = 500


def ks(outcome: NDArray[np.int64], score: NDArray[np.int64]) -> float:
    false, true, _ = roc_curve(outcome, -score)
    return float(np.max(true - false))


@pytest.mark.timeout(240)
def test_500_held_out_companies_are_scored_exactly(tmp_path: Path) -> None:
    train, held_out = polish.split(polish.load(), seed=0)
    fitted = polish.fit(train)
    raw_catalogue = polish.catalogue_yaml(train, fitted)
    (tmp_path / "polish.yaml").write_bytes(raw_catalogue)
    catalogue = parse_catalogue(raw_catalogue)
    # All bankrupts that were held out, and others up to 500: so that AUC and KS mean something.
    order = np.argsort(-held_out[polish.OUTCOME].to_numpy(), kind="stable")[:HELD_OUT]
    chosen = held_out.iloc[np.sort(order)]
    deployment = Deployment.create(
        tmp_path / "d", catalogue=tmp_path / "polish.yaml", enclave={"answer_deadline_ms": 0, "workers": 2}
    )
    polish.records(held_out, deployment.records)
    system = System(deployment)
    system.load(polish.AS_OF)
    system.migrate()
    bank = RawBank(system.add_bank("bank-a", "测试银行", "Test Bank"))
    with system:
        direct = DirectEnclave(deployment.enclave_socket)
        tokens = []
        for row in chosen.index:
            enterprise = RawEnterprise(deployment, polish.uscc_of(int(row)))
            direct.register_key(enterprise)
            tokens.append(enterprise.terms(bank, catalogue).sign(enterprise.key))
            direct.submit_token(tokens[-1])
        direct.close()
        with bank_client(system, "bank-a") as client:
            served = client.catalogue()
            assert served.digest == catalogue.digest
            scorecard = Scorecard.from_optbinning(fitted, served, not_applicable=0, not_authorized=0)
            model = client.register(scorecard)
            outcomes = [outcome for _, outcome in client.assess_many(tokens, model)]
    errors = [o for o in outcomes if isinstance(o, Exception)]
    assert not errors, errors[0]
    decrypted = np.array([o.score for o in outcomes if not isinstance(o, Exception)])
    clear = polish.scores(fitted, chosen)
    assert decrypted.tolist() == clear.tolist()
    outcome = chosen[polish.OUTCOME].to_numpy()
    auc, statistic = roc_auc_score(outcome, -decrypted), ks(outcome, decrypted)
    print(f"\n{len(decrypted)} held-out companies scored exactly; AUC {auc:.4f}, KS {statistic:.4f}")
    assert (auc, statistic) == (roc_auc_score(outcome, -clear), ks(outcome, clear))
    assert auc > 0.85
