"""The profile of a bank's machine: where everything is, and no secret."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from bank_sdk.client import BankClient
from bank_sdk.credentials import BankCredentials
from bank_sdk.errors import InputError
from bank_sdk.keys import KeyStore
from bank_sdk.sync import BankClientSync

STORE_VARIABLE: Final = "XYD_BANK_PASSPHRASE"
KEY_VARIABLE: Final = "XYD_BANK_KEY_PASSPHRASE"
_TEXTS: Final = ("address", "certificate", "key", "service_ca", "enclave_ca", "key_store")
_OPTIONAL: Final = ("enclaves", "timeout", "policy", "key_is_encrypted")
_MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Profile:
    """Paths are taken from the profile's own folder."""

    address: str
    certificate: Path
    key: Path
    service_ca: Path
    enclave_ca: Path
    key_store: Path
    enclaves: tuple[str, ...] | None
    timeout: float
    """Seconds."""
    policy: Path | None
    key_is_encrypted: bool

    @classmethod
    def load(cls, path: Path) -> "Profile":
        """Raises `InputError`; a member that looks like a secret is refused as every unknown one."""
        try:
            with path.open("rb") as file:
                document = tomllib.loads(file.read(_MAX_BYTES).decode())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"{path}: no readable profile: {error}; docs/bank-sdk.md shows one") from error
        if unknown := sorted(set(document) - {*_TEXTS, *_OPTIONAL}):
            hint = f"; passphrases come from {STORE_VARIABLE} or a prompt" if "pass" in unknown[0] else ""
            raise InputError(f"{path}: unknown member {unknown[0]}; known: {', '.join((*_TEXTS, *_OPTIONAL))}{hint}")
        for name in _TEXTS:
            if not isinstance(document.get(name), str):
                raise InputError(f"{path}: {name} is missing or no text")
        here = path.parent
        files: dict[str, Any] = {name: here / Path(document[name]).expanduser() for name in _TEXTS[1:]}
        return cls(address=document["address"], **files, **_optional(document, path, here))

    def store(self, *, confirm: bool = False) -> KeyStore:
        """Open the key store, asking for its passphrase unless the environment has it. `confirm`: ask twice."""
        return KeyStore(self.key_store, secret(STORE_VARIABLE, "密钥库口令 / key store passphrase", confirm=confirm))

    def connect(self, store: KeyStore | None = None) -> BankClientSync:
        """A connected client. Raises what `BankClient.connect` raises."""
        return BankClientSync.connect(
            self.address, self._credentials(), self.enclaves, key_store=store or self.store(), timeout=self.timeout
        )

    async def connect_async(self, store: KeyStore) -> BankClient:
        """Like `connect`, for what runs on an event loop."""
        return await BankClient.connect(
            self.address, self._credentials(), self.enclaves, key_store=store, timeout=self.timeout
        )

    def _credentials(self) -> BankCredentials:
        passphrase = secret(KEY_VARIABLE, "私钥口令 / key passphrase") if self.key_is_encrypted else None
        return BankCredentials.from_files(
            self.certificate, self.key, self.service_ca, enclave_ca=self.enclave_ca, passphrase=passphrase
        )


def secret(variable: str, prompt: str, *, confirm: bool = False) -> str:
    """From the environment or the terminal, never from the arguments, which every user of the machine can read."""
    found = os.environ.get(variable)
    if found is not None:
        return found
    answer: str = typer.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    return answer


def _optional(document: dict[str, Any], path: Path, here: Path) -> dict[str, Any]:
    enclaves, timeout = document.get("enclaves"), document.get("timeout", 30.0)
    if enclaves is not None and (not isinstance(enclaves, list) or any(not isinstance(e, str) for e in enclaves)):
        raise InputError(f"{path}: enclaves is a list of texts")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= 3600:
        raise InputError(f"{path}: timeout is a number of seconds from 0 to 3600")
    policy, encrypted = document.get("policy"), document.get("key_is_encrypted", False)
    if not isinstance(encrypted, bool) or not (policy is None or isinstance(policy, str)):
        raise InputError(f"{path}: policy is a path and key_is_encrypted true or false")
    return {
        "enclaves": None if enclaves is None else tuple(enclaves),
        "timeout": float(timeout),
        "policy": None if policy is None else here / Path(policy).expanduser(),
        "key_is_encrypted": encrypted,
    }
