"""Departments before a running data domain, and what they may try."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
from xinyidai.batches import CHUNK_BYTES, BatchHeader
from xinyidai.catalogue import builtin_catalogue
from xinyidai.identifiers import parse_enclave_id
from xinyidai.reasons import Reason
from xinyidai.status import read_error
from xinyidai.v1 import records_pb2, records_pb2_grpc

from clients.dev.delivery import department_credentials
from clients.dev.deployment import ENCLAVE_ID, Deployment
from clients.dev.system import System
from clients.uploader import DepartmentCredentials, PackedBatch, RecordUploader, pack_file
from enclave.environment import SoftwareEnvironment
from enclave.records.vault import SegmentKind, Vault
from tests.support.records import Row, record_table


class RunningDomain:
    """A deployment whose ingestion runs as a real process."""

    def __init__(self, root: Path, **settings: float) -> None:
        """`settings`: of ingestion, beside the defaults."""
        self.deployment = Deployment.create(root)
        config = self.deployment.ingest_config
        further = "".join(f"{name} = {value}\n" for name, value in settings.items())
        config.write_text(further + config.read_text())
        self.system = System(self.deployment)
        self.address = self.system.start_ingest()

    @property
    def data(self) -> Path:
        return self.deployment.root / "enclave" / "data"

    def vault(self) -> Vault:
        return Vault(self.data / "vault", SoftwareEnvironment(self.deployment.root / "enclave" / "sealing.key"))

    def credentials(self, department: str) -> DepartmentCredentials:
        return department_credentials(self.deployment, department)

    def uploader(self, department: str, **options: Any) -> RecordUploader:
        return RecordUploader(self.address, self.credentials(department), **options)

    @contextmanager
    def stub(self, department: str) -> Iterator[Any]:
        with grpc.secure_channel(self.address, self.credentials(department).channel) as channel:
            yield records_pb2_grpc.RecordServiceStub(channel)  # type: ignore[no-untyped-call]

    def held(self, category: str, kind: SegmentKind = SegmentKind.TAKEN, column: str = "record_id") -> list[str]:
        """A column of what the vault holds of a category, sorted."""
        manifest = self.vault().manifest()
        if not manifest.version:
            return []
        table = self.vault().snapshot().table(category, kind)
        return [] if table is None else sorted(table.column(column).to_pylist())

    def crash(self) -> None:
        """kill -9."""
        self.system.ingest.kill()

    def restart(self) -> None:
        self.address = self.system.start_ingest()

    def close(self) -> None:
        self.system.ingest.stop()


def batches_of(
    domain: RunningDomain, department: str, category: str, rows: Sequence[Row], folder: Path, **options: Any
) -> list[PackedBatch]:
    """Rows as the department's own program packs them."""
    return batches_of_table(
        domain, department, category, record_table(builtin_catalogue(), category, rows), folder, **options
    )


def batches_of_table(
    domain: RunningDomain, department: str, category: str, table: pa.Table, folder: Path, **options: Any
) -> list[PackedBatch]:
    folder.mkdir(exist_ok=True)
    path = folder / f"{category}.parquet"
    pq.write_table(table, path)
    name = domain.credentials(department).department
    return list(pack_file(path, category, builtin_catalogue(), name, [parse_enclave_id(ENCLAVE_ID)], **options))


def upload_messages(token: str, content: bytes, offset: int = 0, step: int = CHUNK_BYTES) -> Iterator[Any]:
    yield records_pb2.UploadRequest(start=records_pb2.UploadStart(header=token, offset=offset))
    for at in range(offset, len(content), step):
        yield records_pb2.UploadRequest(chunk=content[at : at + step])


def signed(header: BatchHeader, credentials: DepartmentCredentials) -> str:
    return header.sign(credentials.key)


def refusal(work: Callable[[], Any]) -> tuple[Reason, str]:
    """(reason, message) of a call the data domain refuses."""
    try:
        work()
    except grpc.RpcError as error:
        wire = read_error(error)
        assert wire is not None, error
        return wire.reason, wire.message
    raise AssertionError("the call went through")
