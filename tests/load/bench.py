"""`make bench`: ours beside a plaintext twin and beside rivals, in one run, as ratios. Prints; asserts nothing."""

import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from xinyidai.catalogue import builtin_catalogue
from xinyidai.seal import SecretKey

from bank_sdk import BankClient, BankCredentials, GrantedAuthorization, KeyStore, RegisteredModel, Scorecard
from clients.demo.scorecard import expert_scorecard
from clients.dev.deployment import ENCLAVE_ID, Deployment
from clients.dev.system import System
from enclave.matrix import SnapshotStore
from tests.load import rivals
from tests.load.twin import POINTS, PlainKey, read_plain_answers
from tests.support.bare import AS_OF
from tests.support.parties import DirectEnclave, RawBank, RawEnterprise, uscc_number

ENTERPRISES = int(os.environ.get("XYD_BENCH_ENTERPRISES", "1200"))
SINGLE_CALLS = 300
WORKERS = 2


@dataclass
class Side:
    """One of the two systems, with a bank connected and enterprises that authorized it."""

    name: str
    system: System
    client: BankClient
    model: RegisteredModel
    grants: list[GrantedAuthorization]


def deploy(root: Path, module: str) -> System:
    """A random snapshot: what the cells are does not matter to the time."""
    limits = {"answer_deadline_ms": 0, "budget_bank_bits": 1000, "budget_total_bits": 1000, "workers": WORKERS}
    deployment = Deployment.create(root, enclave=limits)
    catalogue = builtin_catalogue()
    generator = np.random.default_rng(0)
    cells = np.stack([generator.integers(0, len(f.cells) - 1, ENTERPRISES) for f in catalogue.features], axis=1)
    data = root / "enclave" / "data"
    data.mkdir(mode=0o700)
    codes = np.array(sorted(uscc_number(i) for i in range(ENTERPRISES)), "S18")
    SnapshotStore(data / "snapshots", catalogue).write(AS_OF, codes, cells.astype(np.uint16))
    return System(deployment, enclave_module=module)


def grant_all(system: System, bank: Path) -> list[GrantedAuthorization]:
    direct, asker = DirectEnclave(system.deployment.enclave_socket), RawBank(bank)
    grants = []
    for number in range(ENTERPRISES):
        enterprise = RawEnterprise(system.deployment, uscc_number(number))
        direct.register_key(enterprise)
        token = enterprise.terms(asker).sign(enterprise.key)
        direct.submit_token(token)
        grants.append(GrantedAuthorization.from_token(token))
    direct.close()
    return grants


async def side(name: str, system: System, scorecard: Scorecard) -> Side:
    system.migrate()
    bank = system.add_bank("bank-a", "测试银行", "Bench Bank")
    system.start()
    anchor = system.deployment.anchor
    credentials = BankCredentials.from_files(
        bank / "bank.pem", bank / "bank.key", anchor("platform"), enclave_ca=anchor("enclave")
    )
    store = KeyStore(bank / "keys", "bench")
    client = await BankClient.connect(system.grpc_address, credentials, [ENCLAVE_ID], key_store=store, timeout=60)
    model = await client.register(scorecard)
    return Side(name, system, client, model, grant_all(system, bank))


async def single_calls(sides: list[Side]) -> dict[str, float]:
    """Median milliseconds of `assess`, the two sides taking turns."""
    times: dict[str, list[float]] = {s.name: [] for s in sides}
    for number in range(SINGLE_CALLS):
        for s in sides:
            start = time.perf_counter()
            await s.client.assess(s.grants[number], s.model)
            times[s.name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values[20:]) for name, values in times.items()}


async def throughput(s: Side) -> float:
    """Scores a second through `assess_many`, none of them asked before."""
    fresh = s.grants[SINGLE_CALLS:]
    start = time.perf_counter()
    done = [outcome async for _, outcome in s.client.assess_many(fresh, s.model)]
    for outcome in done:
        if isinstance(outcome, Exception):
            raise outcome
    return len(done) / (time.perf_counter() - start)


async def whole_path(root: Path) -> None:
    scorecard = expert_scorecard(builtin_catalogue())
    points = root / "points.npy"
    np.save(points, scorecard.vector())
    os.environ[POINTS] = str(points)
    ours = await side("ours", deploy(root / "ours", "enclave.app"), scorecard)
    twin = await side("twin", deploy(root / "twin", "tests.load.twin"), scorecard)
    read_plain_answers()
    stored = await twin.client.stored(twin.model)
    plain: SecretKey = PlainKey()  # type: ignore[assignment]
    twin.client._models[twin.model.model_id] = replace(stored, secret_key=plain)
    sides = [ours, twin]
    try:
        medians = await single_calls(sides)
        rates = {s.name: await throughput(s) for s in sides}
    finally:
        for s in sides:
            await s.client.close()
            s.system.stop()
    print("\nthe whole call: SDK, mTLS, server, enclave, ledger on disk, receipt, verification; answer deadline off")
    print(f"  median of one assess()      ours {medians['ours']:7.2f} ms   twin {medians['twin']:7.2f} ms", end="   ")
    print(f"{medians['ours'] / medians['twin']:.2f} x")
    print(
        f"  assess_many(), {WORKERS} workers    ours {rates['ours']:7.0f} /s   twin {rates['twin']:7.0f} /s", end="   "
    )
    print(f"{rates['ours'] / rates['twin']:.2f} x")


def main() -> None:
    rivals.report()
    with tempfile.TemporaryDirectory(prefix="xinyidai-bench-") as folder:
        asyncio.run(whole_path(Path(folder)))


if __name__ == "__main__":
    main()
