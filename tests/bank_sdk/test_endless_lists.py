"""Lists of a hostile service that repeat themselves or never end: the client gives up."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from xinyidai.v1 import authorization_pb2, market_pb2, market_pb2_grpc, model_pb2

from bank_sdk import BankClient, KeyStore, VerificationError
from bank_sdk.market import MarketClient
from bank_sdk.wire import MAX_PAGES, every_entry
from clients.dev.deployment import Deployment
from tests.bank_sdk.line import BreakingLine, credentials_of

ENTRIES: dict[str, Any] = {
    "models": lambda name: model_pb2.Model(model_id=name),
    "authorizations": lambda name: authorization_pb2.AuthorizationEntry(authorization=name),
    "demands": lambda name: market_pb2.MarketDemand(demand_id=name),
}


class HostileLine(BreakingLine, market_pb2_grpc.MarketServiceServicer):
    """Every page names a next one; `names` says what is on page number n."""

    services = (*BreakingLine.services, market_pb2_grpc.add_MarketServiceServicer_to_server)
    asked = 0

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))
        self.names: Callable[[int], list[str]] = lambda _: []

    def _page(self, answer: Any, kind: str) -> Any:
        self.asked += 1
        return answer(**{kind: [ENTRIES[kind](name) for name in self.names(self.asked)]}, next_page_token="more")

    async def ListModels(self, request: Any, context: Any) -> Any:
        return self._page(model_pb2.ListModelsResponse, "models")

    async def ListAuthorizations(self, request: Any, context: Any) -> Any:
        return self._page(authorization_pb2.ListAuthorizationsResponse, "authorizations")

    async def ListDemands(self, request: Any, context: Any) -> Any:
        return self._page(market_pb2.ListDemandsResponse, "demands")


@dataclass
class Scene:
    line: HostileLine
    lists: dict[str, Callable[[], Awaitable[Any]]]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    deployment, line = Deployment.create(tmp_path / "d"), HostileLine()
    deployment.issue_bank("bank-a")
    target, keys = await line.start(deployment, tmp_path), KeyStore(tmp_path / "keys", "passphrase")
    async with await BankClient.connect(target, credentials_of(deployment, tmp_path), key_store=keys) as client:
        lists: dict[str, Callable[[], Awaitable[Any]]] = {
            "models": client.models,
            "authorizations": client.authorizations,
            "demands": MarketClient(client).demands,
        }
        yield Scene(line, lists)
    await line.stop()


@pytest.mark.parametrize("kind", ENTRIES)
async def test_pages_of_nothing(scene: Scene, kind: str) -> None:
    with pytest.raises(VerificationError, match="never ends"):
        await scene.lists[kind]()
    assert scene.line.asked == 1


@pytest.mark.parametrize("kind", ENTRIES)
async def test_pages_of_the_same_again(scene: Scene, kind: str) -> None:
    scene.line.names = lambda page: [f"entry {page % 3}"]
    with pytest.raises(VerificationError, match="repeats"):
        await scene.lists[kind]()
    assert scene.line.asked == 4
    scene.line.names = lambda _: ["twice on a page", "twice on a page"]
    with pytest.raises(VerificationError, match="repeats"):
        await scene.lists[kind]()
    assert scene.line.asked == 5


async def test_pages_of_ever_new_inventions() -> None:
    asked = 0

    async def page(token: str) -> model_pb2.ListModelsResponse:
        nonlocal asked
        asked += 1
        return model_pb2.ListModelsResponse(models=[ENTRIES["models"](f"{asked}")], next_page_token=f"{asked}")

    with pytest.raises(VerificationError, match="never ends"):
        await every_entry(page, "models", lambda entry: entry.model_id)
    assert asked == MAX_PAGES
