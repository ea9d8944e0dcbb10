"""Files that decide whom the enclave believes: where others could change them, it does not start."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients.dev.deployment import Deployment
from clients.dev.system import ProcessFailed, System
from enclave.app import build_trust
from enclave.environment import EnclaveEnvironmentError, refuse_writable
from enclave.ingest.settings import departments_of, load_ingest_settings
from enclave.settings import load_settings


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    return Deployment.create(tmp_path_factory.mktemp("writable") / "d")


@pytest.fixture
def loosen() -> Iterator[Callable[[Path, int], None]]:
    """Give a file or folder other permissions until the test ends."""
    before: dict[Path, int] = {}

    def change(path: Path, mode: int) -> None:
        before.setdefault(path, path.stat().st_mode & 0o7777)
        path.chmod(mode)

    yield change
    for path, mode in before.items():
        path.chmod(mode)


def start_enclave(deployment: Deployment) -> None:
    build_trust(load_settings(deployment.enclave_config))


def start_ingest(deployment: Deployment) -> None:
    departments_of(load_ingest_settings(deployment.ingest_config))


FILES = [
    ("ca/banks.pem", start_enclave),
    ("ca/registrar.pem", start_enclave),
    ("ca/platform.pem", start_enclave),
    ("enclave/receipt.pem", start_enclave),
    ("enclave/enclave.toml", start_enclave),
    ("ca/departments.pem", start_ingest),
    ("enclave/ingest.toml", start_ingest),
]


@pytest.mark.parametrize(("name", "start"), FILES, ids=[name for name, _ in FILES])
def test_a_file_others_could_change_or_replace(
    deployment: Deployment,
    loosen: Callable[[Path, int], None],
    name: str,
    start: Callable[[Deployment], None],
) -> None:
    path = deployment.root / name
    start(deployment)
    before = path.stat().st_mode & 0o777
    for mode in (0o620, 0o602, 0o666):
        loosen(path, mode)
        with pytest.raises(EnclaveEnvironmentError, match=rf"others may change .*{path.name}"):
            start(deployment)
    path.chmod(before)
    for mode in (0o770, 0o707):
        loosen(path.parent, mode)
        with pytest.raises(EnclaveEnvironmentError, match=rf"others may change .*{path.parent.name}"):
            start(deployment)
    path.parent.chmod(0o755)
    path.chmod(0o644)
    start(deployment)


def test_a_catalogue_others_could_change(tmp_path: Path, loosen: Callable[[Path, int], None]) -> None:
    from importlib.resources import files

    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_bytes((files("xinyidai.catalogue") / "xinyidai.yaml").read_bytes())
    catalogue.chmod(0o644)
    deployment = Deployment.create(tmp_path / "d", catalogue=catalogue)
    start_enclave(deployment)
    loosen(catalogue, 0o664)
    with pytest.raises(EnclaveEnvironmentError, match="others may change"):
        start_enclave(deployment)


def test_where_a_link_leads_counts_too(tmp_path: Path) -> None:
    for name in ("trusted", "shared"):
        (tmp_path / name).mkdir(mode=0o700)
    target, link = tmp_path / "shared" / "root.pem", tmp_path / "trusted" / "root.pem"
    target.write_text("x")
    target.chmod(0o644)
    link.symlink_to(target)
    refuse_writable(link)
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(EnclaveEnvironmentError, match=r"others may change .*shared"):
        refuse_writable(link)


def test_a_folder_in_which_each_changes_only_his_own_is_no_danger(tmp_path: Path) -> None:
    """Such as /tmp."""
    path = tmp_path / "sticky" / "root.pem"
    path.parent.mkdir()
    path.write_text("x")
    path.chmod(0o644)
    path.parent.chmod(0o1777)
    refuse_writable(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_folder_or_link_of_another_user(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "root.pem"
    path.parent.mkdir(mode=0o755)
    path.write_text("x")
    path.chmod(0o644)
    link = tmp_path / "link.pem"
    link.symlink_to(path)
    for other in (path, path.parent, link):
        os.chown(other, 12345, -1, follow_symlinks=False)
        with pytest.raises(EnclaveEnvironmentError, match="others may change"):
            refuse_writable(link)
        os.chown(other, 0, -1, follow_symlinks=False)
    refuse_writable(link)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path / "no folder" / "nothing"):
        with pytest.raises(EnclaveEnvironmentError, match="cannot be read"):
            refuse_writable(path)


def test_the_programs_themselves_refuse_to_start(tmp_path: Path) -> None:
    system = System(Deployment.create(tmp_path / "d"))
    system.deployment.anchor("banks").chmod(0o664)
    with pytest.raises(ProcessFailed, match=r"xyd-enclave: others may change .*banks.pem"):
        system.enclave.start()
    system.deployment.authorities.chmod(0o770)
    with pytest.raises(ProcessFailed, match=r"xyd-ingest: others may change .*ca; run: chmod"):
        system.ingest.start()
