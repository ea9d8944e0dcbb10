"""The whole system as real processes, with parties that use it as their own programs do."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from xinyidai.catalogue import builtin_catalogue

from bank_sdk import BankClientSync, BankCredentials, KeyStore
from clients.city import generate_city
from clients.dev.deployment import ENCLAVE_ID, Deployment
from clients.dev.system import System
from clients.wallet import Wallet
from enclave.matrix import SnapshotStore

AS_OF = date(2026, 10, 31)
PASSPHRASE = "of a test"


def bank_client(system: System, bank_id: str) -> BankClientSync:
    folder = system.deployment.bank(bank_id)
    anchor = system.deployment.anchor
    credentials = BankCredentials.from_files(
        folder / "bank.pem", folder / "bank.key", anchor("platform"), enclave_ca=anchor("enclave")
    )
    store = KeyStore(folder / "keys", PASSPHRASE)
    return BankClientSync.connect(system.grpc_address, credentials, [ENCLAVE_ID], key_store=store, timeout=30)


def bank_profile(system: System, bank_id: str, path: Path) -> Path:
    """A profile for `xyd-bank`, at `path`."""
    folder, anchor = system.deployment.bank(bank_id), system.deployment.anchor
    path.write_text(
        f'address = "{system.grpc_address}"\ncertificate = "{folder}/bank.pem"\nkey = "{folder}/bank.key"\n'
        f'service_ca = "{anchor("platform")}"\nenclave_ca = "{anchor("enclave")}"\nkey_store = "{folder}/keys"\n'
        f'enclaves = ["{ENCLAVE_ID}"]\n'
    )
    return path


def new_wallet(system: System, folder: Path, enterprise: str, *, registered: bool = True) -> Wallet:
    anchor = system.deployment.anchor
    wallet = Wallet.create(
        folder,
        enterprise,
        PASSPHRASE,
        platform=system.rest_url,
        platform_ca=anchor("platform").read_bytes(),
        enclave_ca=anchor("enclave").read_bytes(),
    )
    if registered:
        wallet.register(system.deployment.enrol(enterprise, wallet.certificate_request()))
    return wallet


def cells_of(system: System, enterprise: str) -> dict[str, int]:
    """The cells an assessment uses, read from the enclave's snapshot."""
    catalogue = builtin_catalogue()
    snapshots = SnapshotStore(system.deployment.root / "enclave" / "data" / "snapshots", catalogue)
    row = snapshots.open(snapshots.current_id()).row(enterprise)
    return {feature.code: int(cell) for feature, cell in zip(catalogue.features, row, strict=True)}


def city_system(
    root: Path,
    *,
    enterprises: int = 200,
    banks: Sequence[str] = ("bank-a", "bank-b"),
    server: Mapping[str, str | int] | None = None,
    prepare: Callable[[Path], None] = lambda _: None,
) -> System:
    """Not started: a synthetic city, loaded, with registered banks. `server`: settings beside the defaults; `prepare`:
    done to the folder of records before they are loaded."""
    deployment = Deployment.create(root, enclave={"answer_deadline_ms": 0, "workers": 1}, server=server)
    generate_city(enterprises=enterprises, seed=7, as_of=AS_OF, out=deployment.records)
    prepare(deployment.records)
    system = System(deployment)
    system.load(AS_OF)
    system.migrate()
    for bank_id in banks:
        system.add_bank(bank_id, f"测试银行{bank_id}", f"Test {bank_id}")
    return system
