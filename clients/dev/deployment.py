"""The files of a whole deployment in one folder, as a city and its banks would each have theirs:

ca/         the six roots: platform, banks, registrar, enclave, departments, witnesses
enclave/    enclave.toml and ingest.toml, keys and certificates, data/, run/enclave.sock
departments/ID/  department.pem, department.key
server/     server.toml, its key and certificate, data/server.sqlite
banks/ID/   bank.pem, bank.key
witnesses/ID/  witness.pem, witness.key, state/
records/    one Parquet file a category
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xinyidai.catalogue import builtin_catalogue, load_catalogue
from xinyidai.files import write_whole
from xinyidai.identifiers import parse_bank_id, parse_department_id, parse_enclave_id, parse_uscc
from xinyidai.identity import Identity, Role

from clients.dev.authority import Authority, enterprise_identity

ENCLAVE_ID: Final = "lianyungang-1"
_ROOTS: Final = ("platform", "banks", "registrar", "enclave", "departments", "witnesses")
_WRITERS: Final[Mapping[str, tuple[str, ...]]] = {
    "scjg": ("enterprise_registration", "annual_report", "abnormal_dishonesty_list", "pledge_guarantee"),
    "swj": ("tax_payment", "tax_credit"),
    "rsj": ("social_insurance",),
    "gjj": ("housing_fund",),
    "gsgs": ("water_usage",),
    "gdgs": ("electricity_usage",),
    "rqgs": ("gas_usage",),
    "zrzy": ("real_estate",),
    "lyghg": ("customs_trade",),
    "zscq": ("intellectual_property",),
    "kjj": ("sci_tech_innovation",),
    "fgw": ("administrative_permit", "administrative_penalty", "honor_policy_support"),
    "zjfy": ("judicial_enforcement",),
    "sthj": ("environmental_credit",),
    "nync": ("agri_operator",),
}
"""Department id to what it holds, in the built-in catalogue."""


def _toml(values: Mapping[str, str | int]) -> str:
    lines = (f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in values.items())
    return "\n".join(lines) + "\n"


def writers_of(catalogue: Path | None) -> dict[str, tuple[str, ...]]:
    """Department id to the categories it writes: of the built-in catalogue by holder, of another one holder for all."""
    if catalogue is None:
        known = {category.code for category in builtin_catalogue().categories}
        return {name: tuple(code for code in codes if code in known) for name, codes in _WRITERS.items()}
    return {"holder": tuple(category.code for category in load_catalogue(catalogue).categories)}


@dataclass(frozen=True, slots=True)
class Deployment:
    root: Path

    @property
    def authorities(self) -> Path:
        return self.root / "ca"

    @property
    def enclave_config(self) -> Path:
        return self.root / "enclave" / "enclave.toml"

    @property
    def enclave_socket(self) -> Path:
        return self.root / "enclave" / "run" / "enclave.sock"

    @property
    def server_config(self) -> Path:
        return self.root / "server" / "server.toml"

    @property
    def records(self) -> Path:
        return self.root / "records"

    @property
    def ingest_config(self) -> Path:
        return self.root / "enclave" / "ingest.toml"

    def department(self, department_id: str) -> Path:
        return self.root / "departments" / department_id

    def anchor(self, name: str) -> Path:
        """The PEM file of a root: platform, banks, registrar, enclave, departments or witnesses."""
        return self.authorities / f"{name}.pem"

    def bank(self, bank_id: str) -> Path:
        return self.root / "banks" / bank_id

    @classmethod
    def create(
        cls,
        root: Path,
        *,
        catalogue: Path | None = None,
        enclave: Mapping[str, str | int] | None = None,
        server: Mapping[str, str | int] | None = None,
        tcp: bool = False,
    ) -> "Deployment":
        """Make roots, certificates and configuration. `enclave`, `server`: settings that replace the defaults; `tcp`:
        server and enclave talk over mTLS, not a Unix socket. Raises `FileExistsError` rather than overwrite.
        """
        root = root.resolve()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        deployment = cls(root)
        deployment.authorities.mkdir(mode=0o700)
        roots = {name: Authority.create(deployment.authorities, name) for name in _ROOTS}
        deployment._make_enclave(roots, catalogue, dict(enclave or {}), tcp=tcp)
        roots["platform"].issue(Identity(Role.SERVER, "platform"), root / "server", "tls", listens=True)
        deployment._write_server_config(dict(server or {}), None if tcp else "unix:../enclave/run/enclave.sock")
        deployment.records.mkdir(mode=0o700)
        return deployment

    def _make_enclave(
        self, roots: Mapping[str, Authority], catalogue: Path | None, settings: dict[str, str | int], *, tcp: bool
    ) -> None:
        folder = self.enclave_config.parent
        identity = Identity(Role.ENCLAVE, ENCLAVE_ID)
        roots["enclave"].issue(identity, folder, "receipt")
        roots["enclave"].issue(identity, folder, "tls", listens=True)
        write_whole(folder / "sealing.key", os.urandom(32))
        values: dict[str, str | int] = {
            "enclave_id": ENCLAVE_ID,
            "listen": "127.0.0.1:0" if tcp else "unix:run/enclave.sock",
            "data_dir": "data",
            "sealing_key": "sealing.key",
            "receipt_certificate": "receipt.pem",
            "receipt_key": "receipt.key",
            "tls_certificate": "tls.pem",
            "tls_key": "tls.key",
            "banks_ca": "../ca/banks.pem",
            "registrar_ca": "../ca/registrar.pem",
            "platform_ca": "../ca/platform.pem",
            "catalogue": str(catalogue.resolve()) if catalogue else "builtin",
        }
        write_whole(self.enclave_config, _toml(values | settings).encode())
        self._write_ingest_config(catalogue)

    def _write_ingest_config(self, catalogue: Path | None) -> None:
        values: dict[str, str | int] = {
            "enclave_id": ENCLAVE_ID,
            "listen": "127.0.0.1:0",
            "data_dir": "data",
            "sealing_key": "sealing.key",
            "tls_certificate": "tls.pem",
            "tls_key": "tls.key",
            "departments_ca": "../ca/departments.pem",
            "catalogue": str(catalogue.resolve()) if catalogue else "builtin",
        }
        rights = (f"{name} = {json.dumps(categories)}\n" for name, categories in writers_of(catalogue).items())
        write_whole(self.ingest_config, f"{_toml(values)}\n[departments]\n{''.join(rights)}".encode())

    def _write_server_config(self, settings: dict[str, str | int], enclave_address: str | None) -> None:
        values: dict[str, str | int] = {
            "grpc_listen": "127.0.0.1:0",
            "rest_listen": "127.0.0.1:0",
            "tls_certificate": "tls.pem",
            "tls_key": "tls.key",
            "banks_ca": "../ca/banks.pem",
            "enclaves_ca": "../ca/enclave.pem",
            "registrar_ca": "../ca/registrar.pem",
            "witnesses_ca": "../ca/witnesses.pem",
        }
        text = _toml(values | settings)
        if enclave_address is not None:
            text += "\n[[enclaves]]\n" + _toml({"id": ENCLAVE_ID, "address": enclave_address})
        write_whole(self.server_config, text.encode())

    def name_enclave_address(self, address: str) -> None:
        """Tell the server where an enclave on TCP listens, once it does."""
        text = self.server_config.read_text().split("\n[[enclaves]]\n")[0]
        text += "\n[[enclaves]]\n" + _toml({"id": ENCLAVE_ID, "address": address})
        write_whole(self.server_config, text.encode())

    def issue_bank(self, bank_id: str) -> Path:
        """A key and certificate for a bank; returns its folder. Raises `FileExistsError` rather than replace a key."""
        name = parse_bank_id(bank_id)
        if self.bank(name).exists():
            raise FileExistsError(f"{self.bank(name)} 已存在,不覆盖密钥 / exists; its key is not overwritten")
        Authority.load(self.authorities, "banks").issue(Identity(Role.BANK, name), self.bank(name), "bank")
        return self.bank(name)

    def issue_witness(self, name: str) -> Path:
        """A key and certificate for a witness of the log; returns its folder."""
        folder = self.root / "witnesses" / parse_enclave_id(name)
        identity = Identity(Role.WITNESS, name)
        Authority.load(self.authorities, "witnesses").issue(identity, folder, "witness")
        return folder

    def issue_department(self, department_id: str) -> Path:
        """A key and certificate for a department; returns its folder. What it may write stands in `ingest.toml`."""
        name = parse_department_id(department_id)
        identity = Identity(Role.DEPARTMENT, name)
        Authority.load(self.authorities, "departments").issue(identity, self.department(name), "department")
        return self.department(name)

    def enrol(self, uscc: str, raw_request: bytes) -> bytes:
        """What a registrar does after checking who asks: a PEM certificate binding the requested key to a USCC."""
        identity = enterprise_identity(parse_uscc(uscc))
        return Authority.load(self.authorities, "registrar").certify_request(raw_request, identity)
