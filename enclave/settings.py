"""The enclave's settings: one frozen object, read once from a TOML file; unknown keys are refused."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from xinyidai.identifiers import parse_enclave_id

from enclave.authority.deadlines import DEFAULT_RULE
from enclave.process import read_values

_PATHS = (
    "data_dir", "sealing_key", "receipt_certificate", "receipt_key", "tls_certificate", "tls_key", "banks_ca",
    "registrar_ca", "platform_ca",
)  # fmt: skip


class EnclaveSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    enclave_id: str
    listen: str
    """"unix:<path>" (a socket only this user can open) or "<host>:<port>" (mTLS, the client must be the server)."""
    data_dir: Path
    """The authority's database and the feature snapshots; 0700."""
    sealing_key: Path
    """32 random bytes, 0600."""
    receipt_certificate: Path
    receipt_key: Path
    tls_certificate: Path
    tls_key: Path
    banks_ca: Path
    registrar_ca: Path
    platform_ca: Path
    catalogue: str = "builtin"
    """"builtin", or a path."""
    workers: int = Field(default=0, ge=0, le=256)
    """Scoring processes; 0: one a processor."""
    answer_deadline_ms: int = Field(default=20, ge=0, le=10_000)
    """Answers leave this long after the charge; 0: at once."""
    answer_deadline_per_item_ms: int = Field(default=5, ge=0, le=1_000)
    """Added for each further item of a request."""
    answer_deadline_trees_ms: int = Field(default=150, ge=0, le=10_000)
    """Likewise for a tree ensemble, and for each further item a third of it."""
    budget_bank_bits: int = Field(default=32, ge=0, le=1_000)
    """What one bank may learn of one enterprise in 12 months, unless the enterprise sets another limit."""
    budget_total_bits: int = Field(default=128, ge=0, le=1_000)
    """Likewise over all banks."""
    white_list_lifetime_minutes: int = Field(default=60, ge=1, le=7 * 24 * 60)
    """How long a bank may use a white list; the platform asks for new ones well before."""
    white_list_standing_days: int = Field(default=28, ge=0, le=366)
    """A standing is determined anew, and charged again, at most this often."""
    models_per_bank: int = Field(default=1_000, ge=1, le=1_000_000)
    """Scorecards one bank may register; each takes 0.1 MB."""
    trees_per_bank: int = Field(default=20, ge=0, le=10_000)
    """Tree ensembles one bank may register; each takes up to 0.8 GB."""
    objection_rule: str = DEFAULT_RULE
    """Whose deadlines objections have: a place of `enclave/authority/deadlines.toml`. The same as ingestion's."""
    seal_interval_seconds: float = Field(default=10, gt=0, le=3_600)
    """How often the log of uses is sealed when it has grown."""
    seal_limit_seconds: int = Field(default=900, ge=1, le=7_200)
    """Nothing new is assessed when the log was not sealed for longer."""
    isolate_network: Literal["auto", "required", "off"] = "auto"
    """On a Unix socket: give up every other network. "required": refuse to start where the kernel does not allow it."""


def load_settings(path: Path) -> EnclaveSettings:
    """Read a TOML file; relative paths are relative to its folder. Raises `ValueError` that names the key,
    and `EnclaveEnvironmentError` when others could change the file."""
    values = read_values(path, _PATHS)
    listen = str(values.get("listen", ""))
    if listen.startswith("unix:"):
        values["listen"] = f"unix:{path.resolve().parent / listen.removeprefix('unix:')}"
    settings = EnclaveSettings(**values)
    parse_enclave_id(settings.enclave_id)
    return settings
