"""What an enterprise is told of the uses of its data, by a platform that lies."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from xinyidai.authorization import Disclosure, authorization_digest
from xinyidai.identifiers import parse_bank_id, parse_enclave_id
from xinyidai.identity import Identity, Role, load_chain
from xinyidai.merkle import leaf_hash, root_of
from xinyidai.receipt import AnswerDigest, Receipt
from xinyidai.signing import SigningKey
from xinyidai.transparency import SALT_BYTES, Checkpoint, commitment

from clients.dev.authority import Authority
from clients.dev.deployment import ENCLAVE_ID, Deployment
from clients.wallet import GrantTerms, Use, Wallet, WalletError
from tests.support.parties import uscc_number
from tests.support.running import PASSPHRASE
from tests.support.scripted import ScriptedPlatform


def key_of(folder: Path, name: str) -> SigningKey:
    return SigningKey.from_pem(
        (folder / f"{name}.key").read_bytes(), chain=load_chain((folder / f"{name}.pem").read_bytes())
    )


@dataclass
class Scene:
    deployment: Deployment
    platform: ScriptedPlatform
    wallet: Wallet
    grant: str
    """A grant to bank-a, signed by the wallet."""
    enclave_key: SigningKey

    def receipt(self, **changes: Any) -> Receipt:
        true = Receipt(
            enclave=parse_enclave_id(ENCLAVE_ID),
            assessment_id="a" * 32,
            charged_at=self.wallet.draft(GrantTerms("bank-a")).issued_at,
            enterprise=self.wallet.enterprise,
            bank=parse_bank_id("bank-a"),
            model="b" * 64,
            parameter_set="linear-4096-t1024",
            authorization=authorization_digest(self.grant),
            catalogue="c@1",
            catalogue_digest="c" * 64,
            snapshot="d" * 32,
            as_of="2026-10-31",
            disclosure=Disclosure.TOTAL,
            precision_points=0,
            centibits=1004,
            request="e" * 64,
            answers=(AnswerDigest("", "f" * 64),),
        )
        return replace(true, **changes)

    def entry(self, receipt: Receipt, key: SigningKey | None = None) -> dict[str, Any]:
        """As an honest platform lists it, with the receipt signed by `key`, the enclave's unless given."""
        return {
            "assessment_id": receipt.assessment_id,
            "bank_id": receipt.bank,
            "authorization_digest": receipt.authorization,
            "purpose": "loan_origination",
            "model_id": receipt.model,
            "charged_at": receipt.charged_at,
            "centibits": receipt.centibits,
            "receipt": receipt.sign(key or self.enclave_key),
            "repeats": 0,
            "proof": None,
        }

    def sealed(self, entry: dict[str, Any]) -> dict[str, Any]:
        """The entry with its proof, and the checkpoint of a log that holds nothing else: two members of a page."""
        for kept in (self.deployment.root / "w").glob("log-*.jws"):
            kept.unlink()
        salt = b"s" * SALT_BYTES
        root = root_of([leaf_hash(commitment(entry["receipt"], salt))])
        checkpoint = Checkpoint(parse_enclave_id(ENCLAVE_ID), 1, root, int(time.time())).sign(self.enclave_key)
        proof = {"salt": salt.hex(), "index": 0, "path": []}
        return {"usages": [entry | {"proof": proof}], "checkpoint": checkpoint}

    def shows(self, *entries: Any, grants: tuple[str, ...] | None = None, **changes: Any) -> list[Use]:
        """What the wallet makes of a page with these uses."""
        listed = [{"authorization": grant, "state": "active", "assessments": 1} for grant in grants or ()]
        if grants is None:
            listed = [{"authorization": self.grant, "state": "active", "assessments": 1}]
        page = {
            "usages": entries,
            "authorizations": listed,
            "budgets": [],
            "checkpoint": "",
            "next_page_token": "",
            **changes,
        }
        self.platform.answers["/v1/usage"] = lambda _: page
        return self.wallet.usage()[0]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    deployment = Deployment.create(tmp_path_factory.mktemp("wallet") / "d")
    with ScriptedPlatform(deployment) as platform:
        wallet = Wallet.create(
            deployment.root / "w",
            uscc_number(1),
            PASSPHRASE,
            platform=platform.url,
            platform_ca=deployment.anchor("platform").read_bytes(),
            enclave_ca=deployment.anchor("enclave").read_bytes(),
        )
        grant = wallet.sign(wallet.draft(GrantTerms("bank-a")))
        yield Scene(deployment, platform, wallet, grant, key_of(deployment.root / "enclave", "receipt"))
        wallet.close()


def test_a_use_with_a_receipt_is_proven_in_every_member(scene: Scene) -> None:
    receipt = scene.receipt()
    (use,) = scene.shows(scene.entry(receipt))
    assert use.proven and use.bits == 10.04
    assert (use.assessment_id, use.bank, use.model) == (receipt.assessment_id, "bank-a", receipt.model)
    assert (use.authorization, use.charged_at) == (receipt.authorization, receipt.charged_at)


@pytest.mark.parametrize(
    ("member", "lie"),
    [
        ("assessment_id", "0" * 32),
        ("bank_id", "bank-b"),
        ("authorization_digest", "0" * 64),
        ("model_id", "0" * 64),
        ("charged_at", 1),
        ("centibits", 1),
        ("centibits", "1004"),
    ],
)
def test_a_use_that_says_other_than_its_receipt_is_not_believed(scene: Scene, member: str, lie: Any) -> None:
    with pytest.raises(WalletError, match="does not match its receipt"):
        scene.shows(scene.entry(scene.receipt()) | {member: lie})


def test_the_purpose_is_that_of_the_grant_whatever_the_platform_says(scene: Scene) -> None:
    """No receipt names it; the grant does, and the receipt names the grant."""
    lie = scene.entry(scene.receipt()) | {"purpose": "post_loan_monitoring"}
    assert scene.shows(lie)[0].purpose == "loan_origination"
    assert scene.shows(lie, grants=())[0].purpose == "", "withheld, it is unknown"
    other = scene.wallet.sign(scene.wallet.draft(GrantTerms("bank-a")))
    assert scene.shows(lie, grants=(other,))[0].purpose == ""


def test_a_use_without_a_receipt_is_shown_as_unproven(scene: Scene) -> None:
    (use,) = scene.shows(scene.entry(scene.receipt()) | {"receipt": ""})
    assert not use.proven and not use.logged


def test_a_use_is_in_the_log_when_its_proof_says_so(scene: Scene) -> None:
    page = scene.sealed(scene.entry(scene.receipt()))
    (use,) = scene.shows(**page)
    assert use.proven and use.logged
    (use,) = scene.shows(**page | {"usages": [page["usages"][0] | {"proof": None}]})
    assert use.proven and not use.logged, "not sealed yet"


@pytest.mark.parametrize(
    "proof", ["x", 7, [], {"salt": None}, {"salt": "00" * 32}, {"index": 1}, {"index": "0"}, {"path": ["00" * 32]}],
    ids=str,
)  # fmt: skip
def test_a_proof_that_does_not_check_is_not_believed(scene: Scene, proof: Any) -> None:
    page = scene.sealed(scene.entry(scene.receipt()))
    (entry,) = page["usages"]
    changed = entry["proof"] | proof if isinstance(proof, dict) else proof
    with pytest.raises(WalletError):
        scene.shows(**page | {"usages": [entry | {"proof": changed}]})


def test_a_log_that_does_not_extend_the_one_seen_before_is_refused(scene: Scene) -> None:
    scene.shows(**scene.sealed(scene.entry(scene.receipt())))
    forked = Checkpoint(parse_enclave_id(ENCLAVE_ID), 1, bytes(32), int(time.time()) + 1).sign(scene.enclave_key)
    with pytest.raises(WalletError, match="log"):
        scene.shows(checkpoint=forked)


def test_a_receipt_is_signed_by_the_enclave_it_names_and_by_nobody_else(scene: Scene, tmp_path: Path) -> None:
    authorities = scene.deployment.authorities
    Authority.load(authorities, "enclave").issue(Identity(Role.ENCLAVE, "nanjing-1"), tmp_path, "other")
    Authority.load(authorities, "enclave").issue(Identity(Role.BANK, "bank-a"), tmp_path, "bank")
    Authority.load(authorities, "platform").issue(Identity(Role.ENCLAVE, ENCLAVE_ID), tmp_path, "platform")
    foreign = SigningKey.generate("ES256").with_chain(scene.enclave_key.chain)
    for key in (foreign, *(key_of(tmp_path, name) for name in ("other", "bank", "platform"))):
        with pytest.raises(WalletError, match="receipt"):
            scene.shows(scene.entry(scene.receipt(), key))


def test_another_enterprises_receipt_proves_nothing_here(scene: Scene) -> None:
    with pytest.raises(WalletError, match="another enterprise"):
        scene.shows(scene.entry(scene.receipt(enterprise=uscc_number(2))))


@pytest.mark.parametrize("damage", ["x", "a.b.c", "cut", "body of another", "of another type"])
def test_a_damaged_receipt_is_not_believed(scene: Scene, damage: str) -> None:
    entry = scene.entry(scene.receipt())
    head, body, signature = entry["receipt"].split(".")
    other = scene.entry(scene.receipt(centibits=1))["receipt"].split(".")[1]
    damaged = {
        "cut": f"{head}.{body}.{signature[:-4]}",
        "body of another": f"{head}.{other}.{signature}",
        "of another type": scene.enclave_key.sign({"iat": 1_790_000_000}, "model-receipt+jwt", with_chain=True),
    }
    with pytest.raises(WalletError, match="not valid"):
        scene.shows(entry | {"receipt": damaged.get(damage, damage)})


@pytest.mark.parametrize(
    "changes",
    [
        {"usages": None},
        {"usages": [{}]},
        {"usages": ["x"]},
        {"usages": [{"receipt": 5, "purpose": "x"}]},
        {"authorizations": [{}]},
        {"authorizations": [{"authorization": "x"}]},
        {"authorizations": 7},
        {"budgets": None},
        {"checkpoint": "x"},
        {"checkpoint": 7},
    ],
    ids=str,
)
def test_what_is_no_list_of_uses_is_refused_by_type(scene: Scene, changes: dict[str, Any]) -> None:
    with pytest.raises(WalletError):
        scene.shows(**changes)


class TestEndlessPages:
    """Each page of an attacker's list names a next one."""

    def pages(self, scene: Scene, monkeypatch: pytest.MonkeyPatch, usages: Any) -> int:
        """How many pages the wallet asked for before it gave up."""

        def answer(query: dict[str, str]) -> dict[str, Any]:
            at = int(query.get("page_token") or 0)
            rest = {"authorizations": [], "budgets": [], "checkpoint": "", "next_page_token": str(at + 1)}
            return {"usages": usages(at), **rest}

        monkeypatch.setitem(scene.platform.answers, "/v1/usage", answer)
        scene.platform.asked.clear()
        with pytest.raises(WalletError, match="never ends"):
            scene.wallet.usage()
        return scene.platform.asked.count("/v1/usage")

    def test_of_nothing(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.pages(scene, monkeypatch, lambda _: []) == 1

    def test_of_the_same_again(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        entry = scene.entry(scene.receipt())
        assert self.pages(scene, monkeypatch, lambda _: [entry]) == 2
        assert self.pages(scene, monkeypatch, lambda _: [entry, entry]) == 1

    def test_of_ever_new_inventions(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        unproven = scene.entry(scene.receipt()) | {"receipt": ""}
        assert self.pages(scene, monkeypatch, lambda at: [unproven | {"assessment_id": f"{at:032x}"}]) == 1000
