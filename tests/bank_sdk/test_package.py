"""What a bank sees of the package, and what the package pulls in."""

import subprocess
import sys

from xinyidai.reasons import Reason

import bank_sdk

_PROBE = """
import sys
import bank_sdk
print(sorted(name.split(".")[0] for name in sys.modules))
"""


def test_the_interface_is_exactly_all() -> None:
    public = {name for name in vars(bank_sdk) if not name.startswith("_")}
    modules = {name for name in public if type(getattr(bank_sdk, name)).__name__ == "module"}
    assert sorted(public - modules) == bank_sdk.__all__ == sorted(set(bank_sdk.__all__))
    assert not modules & set(bank_sdk.__all__)


def test_importing_it_loads_no_other_role_and_no_modelling_library() -> None:
    loaded = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True).stdout
    others = ("server", "enclave", "clients", "fastapi", "sqlmodel")
    for name in (*others, "pandas", "optbinning", "sklearn", "typer", "rich"):
        assert f"'{name}'" not in loaded
    assert "'xinyidai'" in loaded


def test_every_error_is_documented_and_of_one_family() -> None:
    from bank_sdk import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert all(issubclass(kind, bank_sdk.BankSdkError) and kind.__name__ in str(errors.__doc__) for kind in kinds)
    assert {kind.__name__ for kind in kinds} <= set(bank_sdk.__all__)
    assert set(errors.ERROR_OF) == set(Reason), "each reason of the wire has its error"
