"""Where records rest: encrypted Parquet, a key for each category, and one manifest that says what is there."""

from enclave.records.vault.errors import CategoryDestroyed, VaultError
from enclave.records.vault.manifest import Batch, Fault, Manifest, Segment, SegmentKind
from enclave.records.vault.snapshot import VaultSnapshot
from enclave.records.vault.vault import Transaction, Vault

__all__ = [
    "Batch",
    "CategoryDestroyed",
    "Fault",
    "Manifest",
    "Segment",
    "SegmentKind",
    "Transaction",
    "Vault",
    "VaultError",
    "VaultSnapshot",
]
