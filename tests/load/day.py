"""A scripted day at size: `python -m tests.load.day [banks enterprises demands]`, by default 3, 200 and 300.

Prints what became of the demands, the median time from a demand to its first offer with the banks' programs at work,
and whether dashboard and an independent count agree.
"""

import ssl
import sys
import tempfile
import time
from pathlib import Path

import httpx

from clients.dev.system import System
from tests.support.day import Day, expected_counts, report
from tests.support.planting import plant, planted_cells, planted_in, platform_bytes
from tests.support.running import city_system


def main() -> None:
    banks, enterprises, demands = (int(word) for word in sys.argv[1:4]) if len(sys.argv) > 3 else (3, 200, 300)
    names = [f"bank-{letter}" for letter in "abcdefgh"[:banks]]
    settings: dict[str, str | int] = {"dashboard_seconds": 0}
    with tempfile.TemporaryDirectory() as folder:
        size = max(60, enterprises * 3 // 2)
        city = city_system(Path(folder) / "d", enterprises=size, banks=names, server=settings, prepare=plant)
        with city as system:
            started = time.monotonic()
            day = Day(system, Path(folder) / "wallets", names, enterprises, demands)
            day.run()
            print(report(day, system), flush=True)
            print(f"{banks} banks, {enterprises} enterprises: {time.monotonic() - started:.0f} s", flush=True)
            _check(system)


def _check(system: System) -> None:
    context = ssl.create_default_context(cafile=str(system.deployment.anchor("platform")))
    board = httpx.get(f"{system.rest_url}/v1/dashboard", verify=context, trust_env=False).json()
    found = {(cell["county"], cell["month"]): cell["counts"] for cell in board["cells"]}
    print(f"dashboard equals the independent count: {found == expected_counts(system)} ({len(found)} cells)")
    leaked = {name: planted for name, text in platform_bytes(system).items() if (planted := planted_in(text))}
    print(f"planted values found on the platform: {leaked or planted_cells(system) or 'none'}")


if __name__ == "__main__":
    main()
