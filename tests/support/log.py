"""Reading and watching a log in tests: roots, the latest size, the key of a witness."""

import time
from collections.abc import Callable
from typing import TypeVar

from xinyidai.identity import Role, TrustAnchor, load_chain
from xinyidai.signing import SigningKey
from xinyidai.transparency import verify_checkpoint

from tests.support.platform import PlatformUnderTest

T = TypeVar("T")
SEALING: dict[str, str | int] = {"seal_interval_seconds": 1}


def until(look: Callable[[], T | None], seconds: int = 30) -> T:
    """What `look` finds, once it finds something."""
    for _ in range(10 * seconds):
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("nothing came")


def anchors(platform: PlatformUnderTest) -> tuple[TrustAnchor, TrustAnchor]:
    pem = platform.bare.deployment.anchor
    return (
        TrustAnchor.from_pem(Role.ENCLAVE, pem("enclave").read_bytes()),
        TrustAnchor.from_pem(Role.WITNESS, pem("witnesses").read_bytes()),
    )


def size_of_log(platform: PlatformUnderTest) -> int:
    raw = platform.http.get("/v1/log/checkpoint").json()["checkpoint"]
    return verify_checkpoint(raw, anchors(platform)[0]).size


def witness_key(platform: PlatformUnderTest) -> SigningKey:
    folder = platform.bare.deployment.root / "witnesses" / "witness-a"
    chain = load_chain((folder / "witness.pem").read_bytes())
    return SigningKey.from_pem((folder / "witness.key").read_bytes(), chain=chain)
