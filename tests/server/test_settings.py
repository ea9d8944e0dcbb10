"""The settings: one file, paths relative to it, nothing unknown, no secret in print."""

from pathlib import Path

import pytest

from server.settings import load_settings

MINIMAL = """
tls_certificate = "tls.pem"
tls_key = "tls.key"
banks_ca = "../ca/banks.pem"
enclaves_ca = "../ca/enclave.pem"
"""
ENCLAVE = '[[enclaves]]\nid = "lianyungang-1"\naddress = "unix:run/enclave.sock"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "server.toml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, MINIMAL + ENCLAVE))
    assert settings.tls_key == tmp_path / "tls.key"
    assert settings.database_url.get_secret_value() == f"sqlite:///{tmp_path}/data/server.sqlite"
    assert settings.enclaves[0].address == f"unix:{tmp_path}/run/enclave.sock"
    assert settings.grpc_listen == settings.rest_listen == "127.0.0.1:0"


def test_a_password_neither_prints_nor_has_to_stand_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XYD_SERVER_DATABASE_URL", "postgresql+psycopg://xyd:hunter2@db/xyd")
    settings = load_settings(write(tmp_path, MINIMAL + ENCLAVE))
    assert settings.database_url.get_secret_value().startswith("postgresql+psycopg://xyd:hunter2@")
    assert "hunter2" not in repr(settings) and "hunter2" not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (MINIMAL, "enclaves"),
        ('tls_kye = "x"\n' + MINIMAL + ENCLAVE, "tls_kye"),
        (MINIMAL + ENCLAVE + ENCLAVE, "enclaves"),
        (MINIMAL + '[[enclaves]]\nid = "Not An Id"\naddress = "a:1"\n', "id"),
        ("max_concurrent_calls = 0\n" + MINIMAL + ENCLAVE, "max_concurrent_calls"),
    ],
)
def test_a_wrong_file_is_refused_by_the_name_of_the_key(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ValueError, match=key):
        load_settings(write(tmp_path, text))


def test_settings_do_not_change(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, MINIMAL + ENCLAVE))
    with pytest.raises(ValueError, match="frozen"):
        settings.grpc_listen = "0.0.0.0:1"
