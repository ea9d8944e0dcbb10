"""`python -m clients.demo`: the whole story with real processes, real cryptography and synthetic records."""

import sqlite3
import tempfile
import time
from datetime import date
from pathlib import Path

import pyarrow.parquet as parquet
from rich.console import Console
from xinyidai.identity import Role, TrustAnchor
from xinyidai.reasons import Reason

from bank_sdk import (
    AssessmentResult,
    BankClientSync,
    BankCredentials,
    KeyStore,
    RegisteredModel,
    ServiceError,
)
from clients.city import generate_city
from clients.demo.quality import board_table, categories_of, fetch_board
from clients.demo.scorecard import expert_scorecard
from clients.dev.cli import enterprise_with_records, last_month_end
from clients.dev.delivery import deliver_records
from clients.dev.deployment import ENCLAVE_ID, Deployment
from clients.dev.system import System
from clients.tables import folding_table
from clients.uploader import BatchOutcome
from clients.verifier.check import check_proof
from clients.wallet import GrantTerms, PlatformRefused, Use, Wallet

ENTERPRISES = 2000
_PROOF_TRIES = 60
"""Seconds to wait for a checkpoint and its cosignature."""
console = Console(highlight=False, soft_wrap=True, width=max(120, Console().width))


class DemoFailed(RuntimeError):
    """Something that must hold did not."""


def step(zh: str, en: str) -> None:
    console.print(f"\n[bold]{zh}[/bold]\n{en}")


def connect(system: System, bank: Path) -> BankClientSync:
    """What a bank's program does first."""
    anchor = system.deployment.anchor
    credentials = BankCredentials.from_files(
        bank / "bank.pem", bank / "bank.key", anchor("platform"), enclave_ca=anchor("enclave")
    )
    store = KeyStore(bank / "keys", passphrase="demo passphrase of the bank")  # noqa: S106 (thrown away)
    return BankClientSync.connect(system.grpc_address, credentials, [ENCLAVE_ID], key_store=store)


def open_wallet(system: System, enterprise: str) -> Wallet:
    """What an enterprise does first: a key, the registrar's certificate, registration with proof of possession."""
    anchor = system.deployment.anchor
    wallet = Wallet.create(
        system.deployment.root / "wallet",
        enterprise,
        "demo passphrase of the enterprise",
        platform=system.rest_url,
        platform_ca=anchor("platform").read_bytes(),
        enclave_ca=anchor("enclave").read_bytes(),
    )
    wallet.register(system.deployment.enrol(enterprise, wallet.certificate_request()))
    return wallet


def refused(client: BankClientSync, item: str, model: RegisteredModel) -> None:
    """Ask for what must not be given, and print the answer."""
    try:
        client.assess(item, model, fresh=True)
    except ServiceError as error:
        console.print(f"{type(error).__name__}: {error}")
        return
    raise DemoFailed("an assessment went through that must be refused")


def prepare(root: Path) -> System:
    as_of = last_month_end(date.today())
    step(
        f"一、生成{ENTERPRISES}家企业的模拟记录,各部门向数据域报送,数据域生成特征",
        f"1. Synthetic records of {ENTERPRISES} enterprises; departments deliver, the data domain computes features",
    )
    deployment = Deployment.create(root)
    start = time.monotonic()
    console.print(generate_city(enterprises=ENTERPRISES, seed=0, as_of=as_of, out=deployment.records).text())
    generated = time.monotonic()
    system = System(deployment)
    deliver(system)
    delivered = time.monotonic()
    console.print(system.load_vault(as_of))
    loaded = time.monotonic()
    console.print(
        f"generated in {generated - start:.1f} s, delivered in {delivered - generated:.1f} s, "
        f"features in {loaded - delivered:.1f} s"
    )
    system.migrate()
    system.add_bank("bank-a", "连云港甲银行", "Bank A")
    system.add_bank("bank-b", "连云港乙银行", "Bank B")
    return system


def deliver(system: System) -> None:
    """Every department over mTLS with its own certificate; nothing of it passes the platform, which is not running."""
    table = folding_table(
        "部门 / department", "类别 / category", "行 / rows", "入库 / taken", "隔离 / quarantined", "重复 / duplicated"
    )

    def tell(department: str, one: BatchOutcome) -> None:
        table.add_row(
            department, one.category, str(one.rows), str(one.taken), str(one.quarantined), str(one.duplicated)
        )

    address = system.start_ingest()
    try:
        deliver_records(system.deployment, address, system.deployment.records, tell)
    finally:
        system.ingest.stop()
    console.print(table)


def show_quality(system: System) -> None:
    """What the departments delivered, as the board on the platform has it."""
    board = fetch_board(system)
    if missing := {path.stem for path in system.deployment.records.glob("*.parquet")} - categories_of(board):
        raise DemoFailed(f"the quality board lacks {', '.join(sorted(missing))}")
    console.print(f"质量看板 / quality board, {len(categories_of(board))} categories, {system.rest_url}/quality")
    console.print(board_table(board))


def story(system: System) -> None:
    show_quality(system)
    enterprise = enterprise_with_records(system.deployment.records, "tax_payment")
    bank_a, bank_b = system.deployment.bank("bank-a"), system.deployment.bank("bank-b")
    with connect(system, bank_a) as first, connect(system, bank_b) as second:
        step("二、甲银行加密并登记模型", "2. Bank A encrypts its scorecard under its own key and registers it")
        scorecard = expert_scorecard(first.catalogue())
        proof = scorecard.prove()
        model = first.register(scorecard)
        other = second.register(expert_scorecard(second.catalogue(), "other"))
        console.print(f"model {model.model_id[:16]}…  largest total {proof.largest} < t = {proof.plain_modulus}")

        step(
            "三、企业登记密钥,阅读告知书并授权甲银行",
            "3. The enterprise registers its key, reads the notice, authorizes",
        )
        wallet = open_wallet(system, enterprise)
        draft = wallet.draft(GrantTerms("bank-a", max_assessments=3))
        console.print(wallet.notice(draft))
        grant = wallet.authorize(draft)

        step(
            "四、甲银行评估;与明文结果比对",
            "4. Bank A assesses; the score is held against the computation in the clear",
        )
        result = check_score(system, first, enterprise, model)

        step(
            "五、乙银行未获授权,被拒绝;拿到甲银行的授权书也没有用",
            "5. Bank B has no authorization and is refused, even with bank A's authorization in its hands",
        )
        token = first.authorizations(enterprise)[0].token
        refused(second, enterprise, other)
        refused(second, token, other)

        step("六、企业撤销授权,立即生效", "6. The enterprise revokes; the next request is refused")
        wallet.revoke(grant)
        refused(first, token, model)

        step("七、企业查看每一次使用", "7. The enterprise sees every use, with its bits")
        uses = show_usage(wallet)
        check_proof_of(system, wallet, uses[0])
        wallet.close()
    what_each_saw(system, enterprise, result, uses)


def check_score(system: System, client: BankClientSync, enterprise: str, model: RegisteredModel) -> AssessmentResult:
    start = time.perf_counter()
    result = client.assess(enterprise, model)
    took = 1000 * (time.perf_counter() - start)
    again = client.assess(enterprise, model)
    cells = system.cells(enterprise)
    catalogue = client.catalogue()
    clear = expert_scorecard(catalogue).score_cells([cells[f.code] for f in catalogue.features])
    console.print(
        f"密文得分 / decrypted score  {result.score}\n明文得分 / in the clear     {clear}\n"
        f"{took:.0f} ms (a fixed answer deadline of 20 ms included), {result.centibits / 100:.2f} bits charged, "
        f"records as of {result.as_of}; asked again: repeated={again.repeated}, nothing charged"
    )
    if result.score != clear or not again.repeated or again.receipt != result.receipt:
        raise DemoFailed("the score is not what the computation in the clear gives")
    return result


def show_usage(wallet: Wallet) -> list[Use]:
    uses, budgets = wallet.usage()
    table = folding_table("银行 / bank", "用途 / purpose", "比特 / bits", "重取 / repeats", "回执 / receipt")
    for use in uses:
        table.add_row(use.bank, use.purpose, f"{use.bits:.2f}", str(use.repeats), "verified" if use.proven else "-")
    console.print(table)
    for budget in budgets:
        spent, limit = int(budget["spent_centibits"]) / 100, int(budget["limit_centibits"]) / 100
        console.print(f"{budget['bank_id'] or '全部银行 / all banks'}: {spent:.2f} / {limit:.2f} bits in 12 months")
    return uses


def check_proof_of(system: System, wallet: Wallet, use: Use) -> None:
    """A use is proven to anybody, offline: the receipt, its place in the enclave's log, and a witness's signature."""
    anchor = system.deployment.anchor
    roots = TrustAnchor.from_pem(Role.ENCLAVE, anchor("enclave").read_bytes())
    witnesses = TrustAnchor.from_pem(Role.WITNESS, anchor("witnesses").read_bytes())
    for _ in range(_PROOF_TRIES):
        time.sleep(1)
        try:
            proof = wallet.proof(use.assessment_id)
        except PlatformRefused as refusal:
            if refusal.reason != Reason.ENTRY_PENDING:
                raise
            continue
        if proof.cosignatures:
            found = check_proof(proof.to_json().encode(), roots, witnesses, 1)
            console.print(
                f"日志证明成立:第{proof.inclusion.index + 1}条,共{found.checkpoint.size}条,见证 {found.witnesses[0]}\n"
                f"Proven in the log: entry {proof.inclusion.index + 1} of {found.checkpoint.size}, cosigned by "
                f"{found.witnesses[0]}; verified offline"
            )
            return
    raise DemoFailed("the use is not proven in the log")


def record_ids(deployment: Deployment, enterprise: str) -> list[str]:
    """Of every record the data domain holds about the enterprise."""
    found: list[str] = []
    for path in deployment.records.glob("*.parquet"):
        rows = parquet.read_table(path, columns=["record_id"], filters=[("uscc", "=", enterprise)])
        found += rows.column("record_id").to_pylist()
    return found


def what_each_saw(system: System, enterprise: str, result: AssessmentResult, uses: list[Use]) -> None:
    """Read from what each party really keeps, after everything has happened."""
    root = system.deployment.root
    server = root / "server" / "data" / "server.sqlite"
    with sqlite3.connect(f"file:{server}?mode=ro", uri=True) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    held = b"".join(path.read_bytes() for path in [*server.parent.iterdir(), root / "logs" / "server.log"])
    ids = record_ids(system.deployment, enterprise)
    if any(record.encode() in held for record in ids):
        raise DemoFailed("the platform holds ids of the enterprise's records")
    authority = root / "enclave" / "data" / "authority.sqlite"
    with sqlite3.connect(f"file:{authority}?mode=ro", uri=True) as database:
        (answers,) = database.execute("SELECT count(*) FROM answer").fetchone()
        (frames,) = database.execute("SELECT sum(length(weights) + length(zero)) FROM model").fetchone()
    step("八、各方看到了什么", "8. What each party saw")
    table = folding_table("参与方 / party", "看到 / saw", "没有看到 / did not see", show_lines=True)
    table.add_row(
        "甲银行 / bank A",
        f"得分 / score {result.score}, {uses[0].bits:.2f} bits at most",
        "任何记录、特征、某类信息有无记录 / any record, feature, or whether a category has records",
    )
    table.add_row("乙银行 / bank B", "一次拒绝 / a refusal", "其余一切 / everything else")
    table.add_row(
        "数据域 / enclave",
        f"谁在问、问谁;模型密文 {frames:,} 字节,{answers} 个答复密文 / who asks about whom; ciphertexts",
        "模型分值、得分 / the points, the score",
    )
    table.add_row(
        "平台 / platform",
        f"{len(tables)} 张表,{len(held):,} 字节:账户、授权、评估次数 / accounts, grants, that assessments took place",
        f"记录(核对{len(ids)}条记录号,均未出现)、特征、分值、得分 / records (no id of them), features, points, scores",
    )
    table.add_row(
        f"企业 / enterprise {enterprise}",
        f"{len(uses)} 次使用及回执,{uses[0].repeats} 次重取 / every use with its receipt",
        "银行的模型 / the bank's model",
    )
    console.print(table)


def main() -> None:
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="xinyidai-") as folder:
        system = prepare(Path(folder) / "demo")
        with system:
            system.start_witness(interval=2)
            story(system)
    console.print(f"\n完成,用时 {time.monotonic() - start:.0f} 秒 / done in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
