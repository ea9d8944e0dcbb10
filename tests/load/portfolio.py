"""A portfolio through the command line and the whole running system, interrupted once: `python -m
tests.load.portfolio`.

Prints enterprises a second of the uninterrupted part, how often anything was charged, and the processor time each
process took for one assessment, which says on a shared machine too what a quiet one could do. Granting takes longest:
each enterprise registers a key and signs a grant, as it would from its wallet.
"""

import csv
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from xinyidai.catalogue import builtin_catalogue

from bank_sdk import KeyStore
from clients.demo.scorecard import expert_scorecard
from clients.dev.deployment import ENCLAVE_ID
from clients.dev.system import System
from clients.wallet.platform import Platform
from tests.support.parties import RawBank, RawEnterprise, uscc_number
from tests.support.running import PASSPHRASE, bank_client, city_system

_ENTERPRISES = 10_000
_INTERRUPT_AT = 0.4
_WALLETS = 8


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else _ENTERPRISES
    with tempfile.TemporaryDirectory() as folder:
        with city_system(Path(folder) / "d", enterprises=20, banks=("bank-a",)) as system:
            names = _grant(system, count)
            _run(system, names, Path(folder))


def _grant(system: System, count: int) -> list[str]:
    started = time.monotonic()
    bank, catalogue = RawBank(system.deployment.bank("bank-a")), builtin_catalogue()
    with (
        Platform(system.rest_url, system.deployment.anchor("platform")) as platform,
        ThreadPoolExecutor(_WALLETS) as wallets,
    ):

        def grant(number: int) -> str:
            enterprise = RawEnterprise(system.deployment, uscc_number(number))
            platform.post("/v1/keys", registration=enterprise.registration())
            platform.post("/v1/authorizations", authorization=enterprise.terms(bank, catalogue).sign(enterprise.key))
            return str(enterprise.uscc)

        names = list(wallets.map(grant, range(count)))
    print(f"{count} enterprises granted in {time.monotonic() - started:.0f} s", flush=True)
    return names


def _run(system: System, names: list[str], folder: Path) -> None:
    home, anchor = system.deployment.bank("bank-a"), system.deployment.anchor
    with bank_client(system, "bank-a") as client:
        model = client.register(expert_scorecard(client.catalogue()))
    (folder / "xyd-bank.toml").write_text(
        f'address = "{system.grpc_address}"\ncertificate = "{home}/bank.pem"\nkey = "{home}/bank.key"\n'
        f'service_ca = "{anchor("platform")}"\nenclave_ca = "{anchor("enclave")}"\nkey_store = "{home}/keys"\n'
        f'enclaves = ["{ENCLAVE_ID}"]\n'
    )
    assert KeyStore(home / "keys", PASSPHRASE).models() == (model.model_id,)
    (folder / "in.csv").write_text("uscc\n" + "".join(f"{name}\n" for name in names))
    output, journal = folder / "out.csv", folder / "out.csv.journal"
    command = [sys.executable, "-m", "bank_sdk", "portfolio", str(folder / "in.csv"), str(output), "-m", model.model_id]
    environment = {**os.environ, "XYD_BANK_PROFILE": f"{folder}/xyd-bank.toml", "XYD_BANK_PASSPHRASE": PASSPHRASE}
    before = _processor_seconds(system)
    with subprocess.Popen(command, env=environment) as first:
        while first.poll() is None and _rows(journal) < _INTERRUPT_AT * len(names):
            time.sleep(0.05)
        first.send_signal(signal.SIGINT)
    done = _rows(journal)
    print(f"interrupted after {done} rows, exit code {first.returncode}; resuming", flush=True)
    subprocess.run(command, env=environment, check=True)
    _print_processor_time(before, _processor_seconds(system), len(names))
    with output.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["enterprise"] for row in rows] == names and all(row["score"] for row in rows)
    with bank_client(system, "bank-a") as client:
        uses = [grant.assessments for grant in client.authorizations()]
    print(f"{len(rows)} scores; assessments charged for each authorization: {min(uses)} to {max(uses)}")


def _processor_seconds(system: System) -> dict[str, float]:
    """User and system time so far, by process; the bank's are the finished ones, both runs with their start."""
    everything = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    workers = [pid for pid in everything if _parent(pid) == system.enclave.pid]
    bank = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "bank": bank.ru_utime + bank.ru_stime,
        "server": _seconds(system.server.pid),
        "enclave": _seconds(system.enclave.pid),
        "scoring processes": sum(map(_seconds, workers)),
    }


def _fields(pid: int) -> list[str]:
    """Of /proc/<pid>/stat behind the name, which may hold spaces; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def _seconds(pid: int) -> float:
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _print_processor_time(before: dict[str, float], after: dict[str, float], rows: int) -> None:
    spent = {name: 1000 * (after[name] - before[name]) / rows for name in after}
    each = ", ".join(f"{name} {milliseconds:.2f}" for name, milliseconds in spent.items())
    print(f"processor milliseconds an assessment: {sum(spent.values()):.2f} ({each})", flush=True)


def _rows(journal: Path) -> int:
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.exists() else 0


if __name__ == "__main__":
    main()
