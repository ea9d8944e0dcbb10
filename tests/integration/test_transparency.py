"""The log from the enclave to a verifier that trusts nobody: through the real enclave, platform, wallet and witness."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from xinyidai.identity import load_chain
from xinyidai.merkle import ProofInvalid
from xinyidai.reasons import Reason
from xinyidai.signing import SigningKey, signed_digest
from xinyidai.statements import Action
from xinyidai.transparency import Cosignature, LogStale, verify_checkpoint

from bank_sdk import StatusList
from clients.dev.deployment import ENCLAVE_ID
from clients.verifier.check import check_log, check_proof
from clients.wallet import GrantTerms, PlatformRefused, Wallet, WalletError
from clients.wallet.cli import app as wallet_program
from clients.wallet.log import WalletLog
from clients.wallet.platform import Platform
from clients.witness import Witness
from tests.support.bare import BareEnclave
from tests.support.log import SEALING, anchors, size_of_log, until, witness_key
from tests.support.node import run_node
from tests.support.parties import RawModel, uscc_number
from tests.support.platform import PlatformUnderTest
from tests.support.running import PASSPHRASE, bank_client, new_wallet

_BIN = Path(sys.executable).parent
Arguments = list[str | Path]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformUnderTest]:
    """A platform in front of an enclave that seals its log every second, with a witness."""
    bare = BareEnclave(tmp_path_factory.mktemp("log") / "d", settings=SEALING)
    made = PlatformUnderTest(bare)
    bare.system.rest_url = made.rest_url
    bare.system.start_witness(interval=0.5)
    yield made
    assert bare.system.witness is not None
    bare.system.witness.stop()
    made.close()
    bare.close()


@pytest.fixture(scope="module")
def model(platform: PlatformUnderTest) -> RawModel:
    return platform.register_model()


@pytest.fixture(scope="module")
def wallet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wallet") / "w"


@pytest.fixture(scope="module")
def wallet(platform: PlatformUnderTest, wallet_folder: Path) -> Iterator[Wallet]:
    made = new_wallet(platform.bare.system, wallet_folder, uscc_number(1))
    yield made
    made.close()


@pytest.fixture(scope="module")
def used(platform: PlatformUnderTest, wallet: Wallet, model: RawModel) -> str:
    """The id of an assessment that was made under a grant of the wallet's enterprise, and is in the log."""
    digest = wallet.authorize(wallet.draft(GrantTerms("bank-a", max_assessments=5)))
    platform.bare.direct.score(platform.bare.bank, model, wallet.enterprise, digest)
    (use,) = until(lambda: [use for use in wallet.usage()[0] if use.logged])
    return use.assessment_id


def verify_program(*arguments: str | Path, code: int = 0) -> str:
    command = [str(_BIN / "xyd-verify"), *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def test_a_use_is_proven_by_a_file_that_verifies_offline(
    platform: PlatformUnderTest, wallet: Wallet, used: str, tmp_path: Path
) -> None:
    roots = platform.bare.deployment.anchor
    proof = until(lambda: found if (found := wallet.proof(used)).cosignatures else None)
    found = check_proof(proof.to_json().encode(), *anchors(platform), 1)
    assert found.claims.text("jti") == used and found.witnesses == ("witness-a",)
    file = tmp_path / "proof.json"
    file.write_text(proof.to_json())
    trust: Arguments = ["--enclave-ca", roots("enclave"), "--witness-ca", roots("witnesses"), "--witnesses", "1"]
    said = verify_program("bundle", file, *trust)
    assert "证明成立" in said and used in said and "witness-a" in said
    members = json.loads(proof.to_json())
    file.write_text(json.dumps(members | {"index": members["index"] + 1}))
    assert "not verified" in verify_program("bundle", file, *trust, code=1)
    file.write_text(json.dumps(members | {"cosignatures": []}))
    assert "1 are wanted" in verify_program("bundle", file, *trust, code=1)
    file.write_text(proof.to_json())
    other: Arguments = ["--enclave-ca", roots("banks")]
    assert "not verified" in verify_program("bundle", file, *other, code=1)


def test_the_wallet_program_exports_a_proof(
    platform: PlatformUnderTest, wallet_folder: Path, used: str, tmp_path: Path
) -> None:
    folder = ["--wallet", str(wallet_folder), "--passphrase", PASSPHRASE, "--platform", platform.rest_url]
    listed = CliRunner().invoke(wallet_program, ["usage", *folder])
    assert listed.exit_code == 0 and "verified, in the log" in listed.output
    out = tmp_path / "proof.json"
    done = CliRunner().invoke(wallet_program, ["proof", used, str(out), *folder])
    assert done.exit_code == 0 and "已导出" in done.output
    assert check_proof(out.read_bytes(), *anchors(platform)).claims.text("jti") == used


def test_the_page_verifies_in_the_browser_and_connects_to_nothing(
    platform: PlatformUnderTest, wallet: Wallet, used: str
) -> None:
    roots = platform.bare.deployment.anchor
    trust = {"enclaveRoots": roots("enclave").read_text(), "witnessRoots": roots("witnesses").read_text()}
    good = until(lambda: found if (found := wallet.proof(used)).cosignatures else None).to_json()
    members = json.loads(good)
    claims = members["checkpoint"].split(".")
    forged = ".".join([claims[0], claims[1][:-2] + "AA", claims[2]])
    bad = [
        json.dumps(members | change)
        for change in (
            {"index": members["index"] + 1},
            {"salt": "00" * 32},
            {"path": members["path"][:-1]},
            {"checkpoint": forged},
            {"document": members["checkpoint"]},
            {"checkpoint": members["document"]},
            {"cosignatures": [members["checkpoint"]]},
            {"format": "other"},
        )
    ]
    found, *failed = run_node("proof.mjs", {"proofs": [good, *bad], "trust": trust})
    assert found["claims"]["jti"] == used and found["witnesses"] == ["witness-a"] and found["rooted"]
    assert all("error" in one for one in failed), failed
    (stranger,) = run_node("proof.mjs", {"proofs": [good], "trust": {"enclaveRoots": roots("banks").read_text()}})
    assert "not vouched for" in stranger["error"]
    page = platform.http.get("/verify")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert "connect-src" not in policy and "<script>" not in page.text and " onclick" not in page.text
    for script in ("proof.js", "verify.js"):
        answer = platform.http.get(f"/pages/{script}")
        assert answer.headers["content-type"].startswith("text/javascript") and "fetch(" not in answer.text


def test_an_acknowledgement_is_in_the_log_too(platform: PlatformUnderTest, wallet: Wallet) -> None:
    digest = wallet.authorize(wallet.draft(GrantTerms("bank-a")))
    proof = until(lambda: _proof(wallet, digest))
    found = check_proof(proof.to_json().encode(), *anchors(platform))
    assert (found.claims.text("kind"), found.claims.text("document")) == ("authorize", digest)


def _proof(wallet: Wallet, entry: str) -> Any:
    try:
        return wallet.proof(entry)
    except PlatformRefused as refusal:
        assert refusal.reason == Reason.ENTRY_PENDING
        return None


def test_an_entry_is_proven_to_its_own_enterprise_alone(platform: PlatformUnderTest, used: str, tmp_path: Path) -> None:
    other = new_wallet(platform.bare.system, tmp_path / "w", uscc_number(2))
    for entry in (used, "0" * 64):
        with pytest.raises(PlatformRefused) as refusal:
            other.proof(entry)
        assert refusal.value.reason == Reason.ENTRY_UNKNOWN
    other.close()


def test_anybody_verifies_the_whole_log_and_that_it_only_grew(
    platform: PlatformUnderTest, wallet: Wallet, used: str, tmp_path: Path
) -> None:
    roots = platform.bare.deployment.anchor
    trust: Arguments = ["--enclave-ca", roots("enclave")]
    source: Arguments = ["--platform", platform.rest_url, "--platform-ca", roots("platform"), *trust]
    assert "the log is whole" in verify_program("download", tmp_path / "old", *source)
    old = (tmp_path / "old" / "checkpoint.jws").read_text()
    size = verify_checkpoint(old.strip(), anchors(platform)[0]).size
    for bits in (11, 12, 13):
        wallet.set_budget(bits)
    until(lambda: size + 3 <= size_of_log(platform))
    verify_program("download", tmp_path / "new", *source)
    new = size_of_log(platform)
    answer = platform.http.get("/v1/log/consistency", params={"old": size, "new": new})
    (tmp_path / "path.json").write_text(answer.text)
    folders = [tmp_path / name / "checkpoint.jws" for name in ("old", "new")]
    path: Arguments = ["--proof", tmp_path / "path.json", *trust]
    assert f"{size} -> {new}" in verify_program("checkpoints", *folders, *path)
    assert "not verified" in verify_program("checkpoints", *reversed(folders), *path, code=1)
    leaves = (tmp_path / "new" / "leaves.txt").read_text().splitlines(keepends=True)
    whole: Arguments = ["--checkpoint", folders[1], *trust]
    assert "the log is whole" in verify_program("log", tmp_path / "new" / "leaves.txt", *whole)
    edited = {
        "truncated": leaves[:-1],
        "longer": [*leaves, leaves[0]],
        "reordered": [leaves[1], leaves[0], *leaves[2:]],
        "edited": ["0" * 64 + "\n", *leaves[1:]],
        "noise": ["nothing\n", *leaves[1:]],
        "endless": ["0" * 1_000_000],
    }
    for name, lines in edited.items():
        (tmp_path / name).write_text("".join(lines))
        with pytest.raises(ProofInvalid):
            check_log(tmp_path / name, folders[1].read_text(), anchors(platform)[0])


class LyingPlatform(Platform):
    """Carries nothing out and says what it likes."""

    def __init__(self, platform: PlatformUnderTest, answer: dict[str, Any]) -> None:
        super().__init__(platform.rest_url, platform.bare.deployment.anchor("platform"))
        self.answer = answer

    def post(self, path: str, **members: str) -> Any:
        return self.answer


@pytest.mark.parametrize("lie", ["nothing", "noise", "an older one", "another enterprise's", "a receipt"])
def test_a_platform_cannot_claim_that_a_revocation_was_carried_out(
    platform: PlatformUnderTest, wallet: Wallet, used: str, tmp_path: Path, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = wallet.authorize(wallet.draft(GrantTerms("bank-a")))
    enterprise = platform.enterprise(40 + len(lie))
    others = platform.http.post(
        "/v1/statements", json={"statement": enterprise.statement(Action.REVOKE, digest)}
    ).json()["acknowledgement"]
    answers = {
        "nothing": {"state": "revoked"},
        "noise": {"state": "revoked", "acknowledgement": "x.y.z"},
        "an older one": {"state": "revoked", "acknowledgement": until(lambda: _proof(wallet, digest)).document},
        "another enterprise's": {"state": "revoked", "acknowledgement": others},
        "a receipt": {"state": "revoked", "acknowledgement": until(lambda: _proof(wallet, used)).document},
    }
    with LyingPlatform(platform, answers[lie]) as liar, monkeypatch.context() as patch:
        patch.setattr(wallet, "_platform", liar)
        with pytest.raises(WalletError, match="did not confirm"):
            wallet.revoke(digest)
    wallet.revoke(digest)


def test_a_platform_cannot_show_an_old_log_for_ever(platform: PlatformUnderTest, used: str, tmp_path: Path) -> None:
    """An account of before the latest uses, with the checkpoint of that time."""
    roots, _ = anchors(platform)
    raw = platform.http.get("/v1/log/checkpoint").json()["checkpoint"]
    with Platform(platform.rest_url, platform.bare.deployment.anchor("platform")) as connected:
        later = [time.time()]
        log = WalletLog(tmp_path, connected, roots, uscc_number(1), str, lambda: later[0])
        log.checkpoint(raw)
        later[0] += 3_700
        with pytest.raises(WalletError, match="last sealed 61 minutes ago"):
            log.checkpoint(raw)
        witness = Witness(tmp_path, connected, ENCLAVE_ID, roots, witness_key(platform), lambda: time.time() + 3_700)
        with pytest.raises(LogStale):
            witness.observe()


def test_status_lists_tell_a_bank_what_became_of_its_grants(platform: PlatformUnderTest, tmp_path: Path) -> None:
    made = new_wallet(platform.bare.system, tmp_path / "w", uscc_number(3))
    expected = {}
    for action, state in ((None, "active"), (made.pause, "paused"), (made.revoke, "revoked")):
        digest = made.authorize(made.draft(GrantTerms("bank-a")))
        if action is not None:
            action(digest)
        expected[digest] = state
    made.close()
    platform.bare.system.grpc_address = platform.grpc_address
    with bank_client(platform.bare.system, "bank-a") as client:
        grants = {grant.digest: grant for grant in client.authorizations(made.enterprise)}
    (uri,) = {grant.status_uri for grant in grants.values()}
    assert uri is not None
    time.sleep(5.1)  # a list read before by another test is handed out for five seconds
    answer = platform.http.get(f"/v1/status-lists/{uri.rpartition(':')[2]}")
    assert answer.headers["content-type"] == "application/statuslist+jwt"
    listed = StatusList(answer.text, uri, anchors(platform)[0])
    assert {digest: listed.state(grants[digest]) for digest in expected} == expected
    assert platform.http.get("/v1/status-lists/9").json()["reason"] == "ENTRY_UNKNOWN"


def test_only_a_witness_cosigns_and_only_what_the_enclave_sealed(platform: PlatformUnderTest) -> None:
    raw = platform.http.get("/v1/log/checkpoint").json()["checkpoint"]
    checkpoint = verify_checkpoint(raw, anchors(platform)[0])
    folder = platform.bare.deployment.bank("bank-a")
    bank = SigningKey.from_pem((folder / "bank.key").read_bytes(), chain=load_chain((folder / "bank.pem").read_bytes()))
    now = int(time.time())
    sealed = (checkpoint.enclave, checkpoint.size, checkpoint.root, signed_digest(raw))
    words = [
        Cosignature("bank-a", *sealed, now).sign(bank),
        Cosignature("witness-a", *sealed, now + 3600).sign(witness_key(platform)),
        witness_key(platform).sign({"iss": "witness-a", "iat": now}, "cosignature+jwt", with_chain=True),
        "x.y.z",
        raw,
    ]
    for cosignature in words:
        answer = platform.http.post("/v1/log/cosignatures", json={"cosignature": cosignature, "checkpoint": raw})
        assert answer.status_code in (400, 401), answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/v1/log/consistency?old=2&new=1",
        "/v1/log/consistency?old=0&new=99999999",
        "/v1/log/leaves?first=0&count=5000",
        "/v1/log/leaves?first=-1",
        "/v1/log/checkpoint?enclave=other",
        "/v1/status-lists/0",
    ],
)
def test_what_nobody_can_ask_for_is_refused(platform: PlatformUnderTest, path: str) -> None:
    answer = platform.http.get(path)
    assert answer.status_code == 400 and answer.json()["reason"] in ("REQUEST_INVALID", "AUDIENCE_MISMATCH")
