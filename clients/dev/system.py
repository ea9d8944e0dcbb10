"""The whole system as real processes: enclave, ingestion and server of a deployment, started, watched and stopped."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from clients.dev.deployment import ENCLAVE_ID, Deployment

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 10
_END_WITH_PARENT: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
os.execv(sys.argv[1], sys.argv[1:])
"""
"""A launcher that is killed must leave no enclave or server behind; the request outlives the start of a program."""


class ProcessFailed(RuntimeError):
    """A process did not start or stop as it should; the text ends with what it last said."""


class Process:
    """One of ours, with its standard error in a log file."""

    def __init__(self, name: str, module: str, arguments: list[str], log: Path) -> None:
        self.name = name
        self._log = log
        self._command = [sys.executable, "-m", module, *arguments]
        self._popen: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        if self._popen is None:
            raise ProcessFailed(f"{self.name} was not started")
        return self._popen.pid

    def run(self) -> str:
        """To its end; returns what it printed. Raises `ProcessFailed` when it fails."""
        done = subprocess.run(self._command, capture_output=True, text=True, check=False)  # noqa: S603 (our own modules)
        if done.returncode:
            raise ProcessFailed(f"{self.name} failed: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def start(self) -> list[str]:
        """Start, wait for its ready line, and return the words after "ready <name>"."""
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(  # noqa: S603 (our own modules)
                [sys.executable, "-I", "-c", _END_WITH_PARENT, *self._command],
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                text=True,
            )
        stdout = self._popen.stdout
        if stdout is None:
            raise ProcessFailed(f"{self.name} has no standard output")
        deadline = time.monotonic() + _START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while selector.select(max(0.0, deadline - time.monotonic())):
                line = stdout.readline()
                if line.startswith(f"ready {self.name} "):
                    return line.split()[2:]
                if not line:
                    break
        self.kill()
        raise ProcessFailed(f"{self.name} did not become ready: {self._log.read_text()[-2000:]}")

    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def kill(self) -> None:
        """SIGKILL: what a crash or a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not listen."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._popen is None:
            return
        if self._popen.poll() is None:
            os.kill(self._popen.pid, number)
            try:
                self._popen.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        if self._popen.stdout is not None:
            self._popen.stdout.close()


class System:
    """A deployment in operation.

    Use as a context manager; `enclave_module` lets a benchmark run the enclave with another evaluator.
    """

    def __init__(self, deployment: Deployment, *, enclave_module: str = "enclave.app") -> None:
        self.deployment = deployment
        logs = deployment.root / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        self._enclave_module = enclave_module
        self._logs = logs
        self.enclave = Process(
            "enclave", enclave_module, ["serve", "--config", str(deployment.enclave_config)], logs / "enclave.log"
        )
        self.server = Process(
            "server", "server.app", ["serve", "--config", str(deployment.server_config)], logs / "server.log"
        )
        self.ingest = Process(
            "ingest", "enclave.ingest.app", ["serve", "--config", str(deployment.ingest_config)], logs / "ingest.log"
        )
        self.witness: Process | None = None
        self.ingest_address = ""
        self.grpc_address = ""
        self.rest_url = ""

    def load(self, as_of: date, records: Path | None = None) -> str:
        """Load records into a new snapshot; returns the enclave's report."""
        arguments = ["load", "--config", str(self.deployment.enclave_config), "--as-of", as_of.isoformat()]
        return Process(
            "enclave load",
            "enclave.app",
            [*arguments, "--records", str(records or self.deployment.records)],
            self._logs / "load.log",
        ).run()

    def load_vault(self, as_of: date) -> str:
        """Compute a new snapshot from the vault; returns the enclave's report."""
        arguments = ["load", "--config", str(self.deployment.enclave_config), "--as-of", as_of.isoformat()]
        return Process("enclave load", "enclave.app", arguments, self._logs / "load.log").run()

    def start_ingest(self) -> str:
        """Open the door for departments; returns its address."""
        (self.ingest_address,) = self.ingest.start()
        return self.ingest_address

    def start_witness(self, name: str = "witness-a", interval: float = 10.0) -> None:
        """A process of its own that watches the enclave's log through the platform, and cosigns it."""
        folder = self.deployment.root / "witnesses" / name
        if not folder.exists():
            self.deployment.issue_witness(name)
        anchor = self.deployment.anchor
        options = {
            "enclave": ENCLAVE_ID,
            "platform": self.rest_url,
            "platform-ca": str(anchor("platform")),
            "enclave-ca": str(anchor("enclave")),
            "certificate": str(folder / "witness.pem"),
            "key": str(folder / "witness.key"),
            "state": str(folder / "state"),
            "interval": str(interval),
        }
        arguments = [f"--{option}={value}" for option, value in options.items()]
        self.witness = Process("witness", "clients.witness.cli", arguments, self._logs / "witness.log")
        self.witness.start()

    def cells(self, enterprise: str) -> dict[str, int]:
        """Cells of one enterprise by feature, from the data holder's own command."""
        arguments = ["cells", "--config", str(self.deployment.enclave_config), "--enterprise", enterprise]
        found: dict[str, int] = json.loads(
            Process("enclave cells", "enclave.app", arguments, self._logs / "load.log").run()
        )
        return found

    def add_bank(self, bank_id: str, name_zh: str, name_en: str, events_url: str | None = None) -> Path:
        """Issue a bank's certificate if it has none, and register it with the platform, with the address its events are
        pushed to if there is one; returns its folder."""
        folder = self.deployment.bank(bank_id)
        if not folder.exists():
            self.deployment.issue_bank(bank_id)
        config = ["--config", str(self.deployment.server_config)]
        names = ["--id", bank_id, "--name-zh", name_zh, "--name-en", name_en]
        arguments = ["add-bank", *config, *names, "--certificate", str(folder / "bank.pem")]
        if events_url is not None:
            arguments += ["--events-url", events_url]
        Process("add-bank", "server.app", arguments, self._logs / "server.log").run()
        return folder

    def migrate(self) -> None:
        arguments = ["migrate", "--config", str(self.deployment.server_config)]
        Process("migrate", "server.app", arguments, self._logs / "server.log").run()

    def start_enclave(self) -> None:
        (address,) = self.enclave.start()
        if not address.startswith("unix:"):
            self.deployment.name_enclave_address(address)

    def start(self) -> None:
        self.start_enclave()
        try:
            words = dict(word.split("=", 1) for word in self.server.start())
        except BaseException:
            self.enclave.stop()
            raise
        self.grpc_address, self.rest_url = words["grpc"], words["rest"]

    def stop(self) -> None:
        self.ingest.stop()
        if self.witness is not None:
            self.witness.stop()
        self.server.stop()
        self.enclave.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
