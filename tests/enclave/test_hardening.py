"""What the enclave's processes give up, tried in real processes: as process 1 of a container, as an ordinary user."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from clients.dev.deployment import Deployment
from tests.support.bare import BareEnclave
from tests.support.parties import DirectEnclave, plain_score, random_points

ORDINARY = ("unshare", "--user", "--map-user=1000", "--map-group=1000") if os.geteuid() == 0 else ()
"""Makes what follows a process of an ordinary user, without capabilities; root's files stay readable to it."""
REPORT = """
import json, os, sys
from enclave.environment import EnclaveEnvironmentError
from enclave.hardening import leave_network
try:
    left = leave_network(sys.argv[1])
except EnclaveEnvironmentError as error:
    sys.exit(f"refused: {error}")
lines = open("/proc/net/dev").read().splitlines()[2:]
names = [line.split(":")[0].strip() for line in lines]
print(json.dumps([left, names, os.getuid(), os.getpid()]))
"""


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@cache
def allows(*command: str) -> bool:
    """Whether this machine lets the command through at all."""
    return run(*command, "true").returncode == 0


def own_pids() -> list[str]:
    """The command that makes what follows process 1, as in a container."""
    alone = ("unshare", "--pid", "--fork", "--kill-child")
    for command in (alone, (alone[0], "--user", "--map-root-user", *alone[1:])):
        if allows(*command):
            return list(command)
    pytest.skip("this machine gives nobody a process namespace")


@pytest.fixture
def enclave_of_a_container(bare_folder: Path) -> Iterator[BareEnclave]:
    """The enclave as process 1: its workers' parent is the process others mistake for the end of the world."""
    made = BareEnclave(bare_folder)
    made.direct.close()
    made.system.enclave.stop()
    command = [*own_pids(), sys.executable, "-m", "enclave.app", "serve", "--config"]
    process = subprocess.Popen([*command, str(made.deployment.enclave_config)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("ready enclave ")
    made.direct = DirectEnclave(made.deployment.enclave_socket)
    yield made
    made.direct.close()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_workers_of_an_enclave_that_is_process_1_work(enclave_of_a_container: BareEnclave) -> None:
    made = enclave_of_a_container
    enterprise = made.enterprise(1)
    model = made.direct.register(made.bank, random_points(made.catalogue, np.random.default_rng(1)))
    digest = made.direct.submit(enterprise, enterprise.terms(made.bank))
    score = made.direct.score(made.bank, model, enterprise.uscc, digest)
    assert score == plain_score(made.catalogue, model.points, made.cells_of(1))


def test_a_worker_whose_enclave_is_gone_gives_up() -> None:
    """Also where the process that inherits it is number 1, as it is outside containers."""
    program = "from enclave.hardening import die_with_parent; die_with_parent({})"
    assert run(sys.executable, "-c", program.format(os.getpid())).returncode == 0
    for stranger in (1, 2**22 + 1):
        done = run(sys.executable, "-c", program.format(stranger))
        assert done.returncode == 1 and "the parent process is gone" in done.stderr


def test_workers_end_with_a_killed_enclave(bare_folder: Path) -> None:
    made = BareEnclave(bare_folder)
    pid = made.system.enclave.pid
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert workers
    made.crash()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{worker}/cmdline").exists() for worker in workers):
        assert time.monotonic() < deadline, "a worker outlives its enclave"
        time.sleep(0.02)
    made.close()


class TestNetwork:
    @pytest.mark.parametrize("user", [(), ORDINARY], ids=["this user", "ordinary user"])
    @pytest.mark.parametrize("policy", ["auto", "required"])
    def test_it_is_left_for_an_empty_one(self, policy: str, user: tuple[str, ...]) -> None:
        if not allows(*user, "unshare", "--map-current-user", "--net"):
            pytest.skip("this machine gives such a user no network namespace")
        uid = int(run(*user, "id", "-u").stdout)
        process = subprocess.Popen([*user, sys.executable, "-c", REPORT, policy], stdout=subprocess.PIPE, text=True)
        said, _ = process.communicate(timeout=60)
        assert json.loads(said) == [True, ["lo"], uid, process.pid], "the same user, under the same process id"

    @pytest.mark.parametrize("policy", ["auto", "required", "off"])
    def test_a_kernel_that_refuses_decides_as_the_settings_say(self, policy: str) -> None:
        """A user namespace that may hold no network namespace refuses as a kernel built or configured so does."""
        inside = ["unshare", "--user", "--map-root-user"]
        refusing = [*inside, "sh", "-c", 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"', "sh"]
        if not allows(*refusing) or allows(*refusing, "unshare", "--net"):
            pytest.skip("this machine cannot be made to refuse")
        done = run(*refusing, sys.executable, "-c", REPORT, policy)
        if policy == "required":
            assert done.returncode == 1 and "refused: the kernel refuses a network namespace" in done.stderr
        else:
            assert json.loads(done.stdout)[0] is False


def test_an_enclave_that_requires_isolation_says_whether_it_has_it(bare_folder: Path) -> None:
    if not allows("unshare", "--map-current-user", "--net"):
        pytest.skip("this machine gives this user no network namespace")
    made = BareEnclave(bare_folder, settings={"isolate_network": "required"})
    pid = made.system.enclave.pid
    assert Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    assert Deployment(made.deployment.root).enclave_socket.exists()
    made.close()
