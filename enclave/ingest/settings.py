"""The settings of ingestion: one frozen object, read once from a TOML file; unknown keys are refused."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator
from xinyidai.identifiers import parse_department_id, parse_enclave_id
from xinyidai.identity import Role, TrustAnchor

from enclave.authority.deadlines import DEFAULT_RULE
from enclave.environment import refuse_writable
from enclave.process import read_values

_PATHS = ("data_dir", "sealing_key", "tls_certificate", "tls_key", "departments_ca")


class IngestSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    enclave_id: str
    listen: str
    """"<host>:<port>": mTLS, the client must be a department named below."""
    data_dir: Path
    """The same as the enclave's; 0700. The vault is in `vault`, batches on their way in `staging`."""
    sealing_key: Path
    """The enclave's."""
    tls_certificate: Path
    tls_key: Path
    departments_ca: Path
    catalogue: str = "builtin"
    """"builtin", or a path."""
    retention_days: int = Field(default=30, ge=0, le=3_650)
    """How long past versions of the vault can be read."""
    staging_bytes: int = Field(default=8 * 1024**3, ge=1024**2)
    """What all batches on their way may take of the disk."""
    staging_bytes_per_department: int = Field(default=1024**3, ge=1024**2)
    """What those of one department may take of it."""
    abandoned_days: int = Field(default=7, ge=1, le=3_650)
    """A batch that was begun and not committed is removed after so many days without a byte."""
    silence_seconds: float = Field(default=60, gt=0, le=3_600)
    """How long an upload may say nothing before it is closed; what arrived is kept."""
    objection_rule: str = DEFAULT_RULE
    """Whose deadlines objections have: a place of `enclave/authority/deadlines.toml`. The same as the enclave's."""
    departments: dict[str, tuple[str, ...]]
    """Department id to the categories it may write, and no others. Given by the data holder, not by certificates, so
    that a right can be withdrawn without waiting for a certificate to expire."""

    @field_validator("departments")
    @classmethod
    def _ids(cls, departments: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {parse_department_id(name): categories for name, categories in departments.items()}


def load_ingest_settings(path: Path) -> IngestSettings:
    """Read a TOML file; relative paths are relative to its folder. Raises `ValueError` that names the key,
    and `EnclaveEnvironmentError` when others could change the file."""
    values = read_values(path, _PATHS)
    settings = IngestSettings(**values)
    parse_enclave_id(settings.enclave_id)
    return settings


def departments_of(settings: IngestSettings) -> TrustAnchor:
    """Who vouches for departments. Raises `EnclaveEnvironmentError` when others could change it, `DocumentError`."""
    refuse_writable(settings.departments_ca)
    return TrustAnchor.from_pem(Role.DEPARTMENT, settings.departments_ca.read_bytes())
