"""A bank assesses an authorized enterprise, exactly, without seeing its records: through every real part."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from xinyidai.identifiers import check_character_holds, parse_uscc
from xinyidai.reasons import Reason

from bank_sdk import AuthorizationRefused, BankClientSync, BudgetExhausted, RegisteredModel, ScoreInterval
from clients.demo.scorecard import expert_scorecard
from clients.dev.system import System
from clients.wallet import GrantTerms, PlatformRefused, Wallet, WalletLocked
from tests.support.running import PASSPHRASE, bank_client, cells_of, new_wallet


@pytest.fixture(scope="module")
def bank_a(city: System) -> Iterator[BankClientSync]:
    with bank_client(city, "bank-a") as client:
        yield client


@pytest.fixture(scope="module")
def bank_b(city: System) -> Iterator[BankClientSync]:
    with bank_client(city, "bank-b") as client:
        yield client


@pytest.fixture(scope="module")
def model(bank_a: BankClientSync) -> RegisteredModel:
    return bank_a.register(expert_scorecard(bank_a.catalogue()))


@pytest.fixture(scope="module")
def enterprises(city: System) -> Iterator[str]:
    codes = parquet.read_table(city.deployment.records / "tax_payment.parquet", columns=["uscc"]).column("uscc")
    return iter([c for c in codes.unique().to_pylist() if check_character_holds(parse_uscc(c))])


@pytest.fixture
def wallet(city: System, tmp_path: Path, enterprises: Iterator[str]) -> Iterator[Wallet]:
    """A registered enterprise with records in many categories."""
    made = new_wallet(city, tmp_path / "wallet", next(enterprises))
    yield made
    made.close()


def in_the_clear(city: System, client: BankClientSync, wallet: Wallet, categories: tuple[str, ...] = ()) -> int:
    catalogue = client.catalogue()
    cells = cells_of(city, wallet.enterprise)
    allowed = set(categories) or {c.code for c in catalogue.categories}
    chosen = [cells[f.code] if set(f.sources) <= allowed else f.not_authorized for f in catalogue.features]
    return expert_scorecard(catalogue).score_cells(chosen)


def test_all_21_categories_give_the_exact_score(
    city: System, bank_a: BankClientSync, model: RegisteredModel, wallet: Wallet
) -> None:
    assert len(bank_a.catalogue().categories) == 21
    draft = wallet.draft(GrantTerms("bank-a"))
    assert "比特" in wallet.notice(draft) and "at most 10.04 bits" in wallet.notice(draft)
    digest = wallet.authorize(draft)

    result = bank_a.assess(wallet.enterprise, model)

    assert result.score == in_the_clear(city, bank_a, wallet)
    assert (result.centibits_charged, result.repeated) == (1004, False)
    again = bank_a.assess(wallet.enterprise, model)
    assert (again.score, again.receipt, again.repeated) == (result.score, result.receipt, True)
    (use,), budgets = wallet.usage()
    assert (use.bank, use.bits, use.repeats, use.authorization, use.proven) == ("bank-a", 10.04, 1, digest, True)
    assert {b["bank_id"]: b["spent_centibits"] for b in budgets} == {"": 1004, "bank-a": 1004}


def test_a_bank_without_authorization_is_refused(
    bank_a: BankClientSync, bank_b: BankClientSync, wallet: Wallet
) -> None:
    wallet.authorize(wallet.draft(GrantTerms("bank-a")))
    other = bank_b.register(expert_scorecard(bank_b.catalogue()))
    with pytest.raises(AuthorizationRefused):
        bank_b.assess(wallet.enterprise, other)
    stolen = bank_a.authorizations(wallet.enterprise)[0].token
    with pytest.raises(AuthorizationRefused) as refusal:
        bank_b.assess(stolen, other)
    assert refusal.value.reason is Reason.AUTHORIZATION_SCOPE
    assert wallet.usage()[0] == []


def test_pausing_and_revoking_hold_at_once(bank_a: BankClientSync, model: RegisteredModel, wallet: Wallet) -> None:
    digest = wallet.authorize(wallet.draft(GrantTerms("bank-a")))
    token = bank_a.authorizations(wallet.enterprise)[0].token
    wallet.pause(digest)
    with pytest.raises(AuthorizationRefused) as refusal:
        bank_a.assess(token, model)
    assert refusal.value.reason is Reason.AUTHORIZATION_PAUSED
    wallet.resume(digest)
    bank_a.assess(token, model)
    wallet.revoke(digest)
    with pytest.raises(AuthorizationRefused) as refusal:
        bank_a.assess(token, model)
    assert refusal.value.reason is Reason.AUTHORIZATION_REVOKED
    assert [entry["state"] for entry in wallet.authorizations()] == ["revoked"]
    assert [grant.state for grant in bank_a.authorizations(wallet.enterprise)] == ["revoked"]


def test_only_the_granted_categories_count(
    city: System, bank_a: BankClientSync, model: RegisteredModel, wallet: Wallet
) -> None:
    granted = ("annual_report", "tax_payment", "social_insurance")
    wallet.authorize(wallet.draft(GrantTerms("bank-a", categories=granted)))
    assert bank_a.assess(wallet.enterprise, model).score == in_the_clear(city, bank_a, wallet, granted)


def test_a_coarser_score_costs_less(
    city: System, bank_a: BankClientSync, model: RegisteredModel, wallet: Wallet
) -> None:
    wallet.authorize(wallet.draft(GrantTerms("bank-a", precision_points=8)))
    result = bank_a.assess(wallet.enterprise, model)
    assert isinstance(result.score, ScoreInterval)
    assert result.score.low <= in_the_clear(city, bank_a, wallet) <= result.score.high
    assert result.score.high - result.score.low <= 16
    assert result.centibits == 592


def test_by_category(city: System, bank_a: BankClientSync, model: RegisteredModel, wallet: Wallet) -> None:
    granted = ("tax_payment", "electricity_usage")
    wallet.authorize(wallet.draft(GrantTerms("bank-a", categories=granted, by_category=True)))
    result = bank_a.assess(wallet.enterprise, model)
    assert set(result.categories) == set(granted)
    assert result.interval.low <= in_the_clear(city, bank_a, wallet, granted) <= result.interval.high


def test_the_budget_is_the_enterprises(bank_a: BankClientSync, model: RegisteredModel, wallet: Wallet) -> None:
    wallet.authorize(wallet.draft(GrantTerms("bank-a", max_assessments=5)))
    wallet.set_budget(15, "bank-a")
    bank_a.assess(wallet.enterprise, model)
    with pytest.raises(BudgetExhausted):
        bank_a.assess(wallet.enterprise, model, fresh=True)
    wallet.set_budget(40, "bank-a")
    bank_a.assess(wallet.enterprise, model, fresh=True)
    uses, _ = wallet.usage()
    assert [use.bits for use in uses] == [10.04, 10.04]


def test_many_at_once_in_order_with_refusals_in_their_place(
    city: System, bank_a: BankClientSync, model: RegisteredModel, tmp_path: Path, enterprises: Iterator[str]
) -> None:
    wallets = [new_wallet(city, tmp_path / str(i), next(enterprises)) for i in range(12)]
    for wallet in wallets[:-1]:
        wallet.authorize(wallet.draft(GrantTerms("bank-a")))
    outcomes = list(bank_a.assess_many([w.enterprise for w in wallets], model))
    assert [item for item, _ in outcomes] == [w.enterprise for w in wallets]
    for wallet, (_, outcome) in zip(wallets[:-1], outcomes, strict=False):
        assert not isinstance(outcome, Exception)
        assert outcome.score == in_the_clear(city, bank_a, wallet)
    assert isinstance(outcomes[-1][1], AuthorizationRefused)
    for wallet in wallets:
        wallet.close()


def test_wallet_stays_closed_without_its_passphrase(wallet: Wallet, tmp_path: Path) -> None:
    assert b"PRIVATE KEY" in (tmp_path / "wallet" / "wallet.key").read_bytes()
    with pytest.raises(WalletLocked):
        Wallet.open(tmp_path / "wallet", "another")
    reopened = Wallet.open(tmp_path / "wallet", PASSPHRASE)
    assert reopened.usage()[0] == wallet.usage()[0] == []
    reopened.close()


def test_a_key_the_registrar_did_not_certify_for_this_enterprise(
    city: System, tmp_path: Path, enterprises: Iterator[str]
) -> None:
    honest, other = next(enterprises), next(enterprises)
    wallet = new_wallet(city, tmp_path / "impostor", honest, registered=False)
    with pytest.raises(PlatformRefused) as refusal:
        wallet.register(city.deployment.enrol(other, wallet.certificate_request()))
    assert refusal.value.reason == Reason.CERTIFICATE_INVALID
    wallet.close()
