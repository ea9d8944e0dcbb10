"""The files of a whole deployment in one folder, as a city and its banks would each have theirs:

ca/         the four roots: platform, banks, registrar, enclave
enclave/    enclave.toml, its keys and certificates, data/, run/enclave.sock
server/     server.toml, its key and certificate, data/server.sqlite
banks/ID/   bank.pem, bank.key
records/    one Parquet file a category
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xinyidai.identifiers import parse_bank_id, parse_uscc
from xinyidai.identity import Identity, Role

from clients.dev.authority import Authority, enterprise_identity, write_private

ENCLAVE_ID: Final = "lianyungang-1"
_ROOTS: Final = ("platform", "banks", "registrar", "enclave")


def _toml(values: Mapping[str, str | int]) -> str:
    lines = (f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in values.items())
    return "\n".join(lines) + "\n"


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

    def anchor(self, name: str) -> Path:
        """The PEM file of a root: platform, banks, registrar or enclave."""
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
        deployment._write_server_config(dict(server or {}), None if tcp else f"unix:{deployment.enclave_socket}")
        deployment.records.mkdir(mode=0o700)
        return deployment

    def _make_enclave(
        self, roots: Mapping[str, Authority], catalogue: Path | None, settings: dict[str, str | int], *, tcp: bool
    ) -> None:
        folder = self.enclave_config.parent
        identity = Identity(Role.ENCLAVE, ENCLAVE_ID)
        roots["enclave"].issue(identity, folder, "receipt")
        roots["enclave"].issue(identity, folder, "tls", listens=True)
        write_private(folder / "sealing.key", os.urandom(32))
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
        write_private(self.enclave_config, _toml(values | settings).encode())

    def _write_server_config(self, settings: dict[str, str | int], enclave_address: str | None) -> None:
        values: dict[str, str | int] = {
            "grpc_listen": "127.0.0.1:0",
            "rest_listen": "127.0.0.1:0",
            "tls_certificate": "tls.pem",
            "tls_key": "tls.key",
            "banks_ca": "../ca/banks.pem",
            "enclaves_ca": "../ca/enclave.pem",
            "registrar_ca": "../ca/registrar.pem",
        }
        text = _toml(values | settings)
        if enclave_address is not None:
            text += "\n[[enclaves]]\n" + _toml({"id": ENCLAVE_ID, "address": enclave_address})
        write_private(self.server_config, text.encode())

    def name_enclave_address(self, address: str) -> None:
        """Tell the server where an enclave on TCP listens, once it does."""
        text = self.server_config.read_text().split("\n[[enclaves]]\n")[0]
        text += "\n[[enclaves]]\n" + _toml({"id": ENCLAVE_ID, "address": address})
        write_private(self.server_config, text.encode())

    def issue_bank(self, bank_id: str) -> Path:
        """A key and certificate for a bank; returns its folder."""
        name = parse_bank_id(bank_id)
        Authority.load(self.authorities, "banks").issue(Identity(Role.BANK, name), self.bank(name), "bank")
        return self.bank(name)

    def enrol(self, uscc: str, raw_request: bytes) -> bytes:
        """What a registrar does after checking who asks: a PEM certificate binding the requested key to a USCC."""
        identity = enterprise_identity(parse_uscc(uscc))
        return Authority.load(self.authorities, "registrar").certify_request(raw_request, identity)
