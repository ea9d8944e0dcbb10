"""Every department of a development city delivers its records, each with a certificate of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

from xinyidai.catalogue import builtin_catalogue
from xinyidai.identifiers import parse_enclave_id

from clients.dev.deployment import ENCLAVE_ID, Deployment, writers_of
from clients.uploader import BatchOutcome, DepartmentCredentials, RecordUploader, pack_file


def department_credentials(deployment: Deployment, department_id: str) -> DepartmentCredentials:
    """Issues the department's certificate when it has none."""
    folder = deployment.department(department_id)
    if not folder.exists():
        deployment.issue_department(department_id)
    return DepartmentCredentials.from_files(
        folder / "department.pem", folder / "department.key", deployment.anchor("enclave")
    )


def deliver_records(
    deployment: Deployment, address: str, records: Path, told: Callable[[str, BatchOutcome], None] = lambda *_: None
) -> list[BatchOutcome]:
    """Deliver `<category>.parquet` of a folder to the data domain at `address`; one outcome a batch. `told` hears of
    each, with the department."""
    outcomes = []
    for department_id, path in _files(records):
        credentials = department_credentials(deployment, department_id)
        packed = pack_file(path, path.stem, builtin_catalogue(), credentials.department, [parse_enclave_id(ENCLAVE_ID)])
        with RecordUploader(address, credentials) as uploader:
            for batch in packed:
                outcomes.append(uploader.deliver(batch))
                told(department_id, outcomes[-1])
    return outcomes


def _files(records: Path) -> Iterator[tuple[str, Path]]:
    for department_id, categories in writers_of(None).items():
        for category in categories:
            path = records / f"{category}.parquet"
            if path.exists():
                yield department_id, path
