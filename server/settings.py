"""The server's settings: one frozen object a process, read once from a TOML file; unknown keys are refused."""

import tomllib
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from xinyidai.identifiers import parse_enclave_id

_PATHS: Final = (
    "tls_certificate", "tls_key", "banks_ca", "enclaves_ca", "platform_ca", "registrar_ca", "events_ca", "witnesses_ca",
)  # fmt: skip
_SQLITE: Final = "sqlite:///"


class EnclaveAddress(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    address: str
    """"unix:<path>", or "<host>:<port>" (mTLS with the server's certificate)."""

    @field_validator("id")
    @classmethod
    def _well_formed(cls, value: str) -> str:
        return parse_enclave_id(value)


class ServerSettings(BaseSettings):
    """Environment variables XYD_SERVER_<KEY> override the file, so that a password need not stand in it."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="XYD_SERVER_")

    database_url: SecretStr = SecretStr(f"{_SQLITE}data/server.sqlite")
    """"sqlite:///<path>" or "postgresql+psycopg://..."."""
    grpc_listen: str = "127.0.0.1:0"
    """<host>:<port>; port 0 takes a free one."""
    rest_listen: str = "127.0.0.1:0"
    tls_certificate: Path
    """PEM chain, leaf first, of role server: for banks, for enterprises' programs and towards the enclaves."""
    tls_key: Path
    banks_ca: Path
    enclaves_ca: Path
    platform_ca: Path | None = None
    """If given, the server checks at start that its own certificate descends from it."""
    registrar_ca: Path | None = None
    """Roots that vouch for enterprises' keys, for what they sign on the market; without it every demand is refused."""
    events_ca: Path | None = None
    """Roots that vouch for the addresses banks want events pushed to; without it, those the system trusts."""
    events_seconds: float = Field(default=1, gt=0, le=3_600)
    """How often the enclaves are asked for new events."""
    witnesses_ca: Path | None = None
    """Roots that vouch for witnesses of the log; without it every cosignature is refused."""
    market_hold_seconds: int = Field(default=86_400, ge=1, le=30 * 86_400)
    """How long a bank that grabbed or was assigned a demand may think before its place falls to another."""
    market_grab_seconds: int = Field(default=3_600, ge=0, le=30 * 86_400)
    """How long a demand waits to be grabbed before the platform assigns it to the bank that fits best."""
    market_fulfil_seconds: int = Field(default=14 * 86_400, ge=1, le=366 * 86_400)
    """How long a bank has from the acceptance of its offer to paying out; then the demand ends."""
    market_open_demands: int = Field(default=10, ge=1, le=10_000)
    """Demands one enterprise may have open or accepted at a time."""
    market_open_products: int = Field(default=50, ge=1, le=10_000)
    """Products one bank may have open at a time."""
    dashboard_seconds: float = Field(default=3_600, ge=0, le=86_400)
    """How old the dashboard may be: what happens between two of its versions cannot be told apart."""
    market_sweep_seconds: float = Field(default=1, gt=0, le=3_600)
    """How often the market's clock is looked at."""
    white_list_refresh_seconds: int = Field(default=600, ge=1, le=86_400)
    """A bank's white list is made anew after this long even if nothing changed; well below its lifetime."""
    outreach_sweep_seconds: float = Field(default=2, gt=0, le=3_600)
    """How often it is looked whether a white list or a check after the loan is due."""
    portal_origin: str | None = Field(default=None, pattern=r"^https://[a-z0-9.-]{1,253}(:[0-9]{1,5})?$")
    """Where browsers find the pages, such as https://portal.example; passkeys are bound to its host. Default:
    https://localhost:<port of rest_listen>."""
    session_idle_seconds: int = Field(default=1_800, ge=60, le=86_400)
    """A session of the pages ends after so long without a request."""
    session_seconds: int = Field(default=43_200, ge=60, le=7 * 86_400)
    """And after so long in any case."""
    requests_per_minute: int = Field(default=6_000, ge=0, le=1_000_000)
    """Over REST and the pages, for each address; 0: no limit. Behind a proxy all addresses are the proxy's."""
    sign_ins_per_minute: int = Field(default=30, ge=0, le=10_000)
    """Of requests that sign in, for each address and for each account; 0: no limit."""
    enclaves: tuple[EnclaveAddress, ...] = Field(min_length=1, max_length=16)
    enclave_deadline_seconds: float = Field(default=10, gt=0, le=600)
    """The longest a single call waits for an enclave; a bank's shorter deadline wins."""
    stream_deadline_seconds: float = Field(default=3600, gt=0, le=86_400)
    """The longest one AssessMany stream may last; a bank's shorter deadline wins."""
    stream_silence_seconds: float = Field(default=60, gt=0, le=3_600)
    """How long a stream of requests may say nothing before it is closed: it holds a place others could use."""
    max_concurrent_calls: int = Field(default=128, ge=1, le=10_000)
    """Calls and streams at work at once, on each edge for itself; more are refused as OVERLOADED."""
    stop_seconds: float = Field(default=10, ge=0, le=600)
    """How long calls at work may take to finish after SIGTERM."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:  # fmt: skip
        return env_settings, init_settings

    @field_validator("enclaves")
    @classmethod
    def _distinct(cls, value: tuple[EnclaveAddress, ...]) -> tuple[EnclaveAddress, ...]:
        if len({enclave.id for enclave in value}) != len(value):
            raise ValueError("each enclave id may stand once")
        return value


def load_settings(path: Path) -> ServerSettings:
    """Read a TOML file; relative paths are relative to its folder. Raises `OSError`, `ValueError` naming the key."""
    values: dict[str, Any] = tomllib.loads(path.read_text())
    return _absolute(ServerSettings(**values), path.resolve().parent)


def _absolute(settings: ServerSettings, base: Path) -> ServerSettings:
    changed: dict[str, Any] = {name: base / value for name in _PATHS if (value := getattr(settings, name)) is not None}
    changed["database_url"] = SecretStr(_absolute_url(settings.database_url.get_secret_value(), base))
    changed["enclaves"] = tuple(
        enclave.model_copy(update={"address": f"unix:{(base / enclave.address.removeprefix('unix:')).resolve()}"})
        if enclave.address.startswith("unix:")
        else enclave
        for enclave in settings.enclaves
    )
    return settings.model_copy(update=changed)


def _absolute_url(url: str, base: Path) -> str:
    return f"{_SQLITE}{base / url.removeprefix(_SQLITE)}" if url.startswith(_SQLITE) else url
