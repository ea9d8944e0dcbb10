"""The white list over REST, and what was told about an enterprise besides scores."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from server.relay.whitelist import WhiteListRelay
from server.rest.routes import PROBLEMS, Credentials, access_token
from server.rest.schemas import MAX_TOKEN, Strict


class NewListStatement(Strict):
    statement: str = Field(
        min_length=1,
        max_length=MAX_TOKEN,
        description="Compact JWS of type `white-list-opt-in+jwt` or `white-list-opt-out+jwt` of the enterprise.",
    )


class ListConfirmed(Strict):
    confirmation: str = Field(
        description="Compact JWS of type `white-list-confirmation+jwt`, signed by the enclave: the statement holds."
    )


class DisclosurePage(Strict):
    receipts: tuple[str, ...] = Field(description="Compact JWS of type `disclosure+jwt` each, newest first.")
    next_page_token: str = Field(description="Empty on the last page. Each page needs a new access token.")


def white_list_routes(lists: WhiteListRelay) -> APIRouter:
    """Every document is verified by the enclave, not here."""
    router = APIRouter(prefix="/v1", tags=["企业 / enterprises"], responses=PROBLEMS)

    @router.post("/white-list", summary="加入或退出白名单 / Opt in to the white list, or out")
    async def state(body: NewListStatement) -> ListConfirmed:
        return ListConfirmed(confirmation=await lists.submit(body.statement))

    @router.get("/disclosures", summary="得分以外告知银行的内容 / What banks were told besides scores")
    async def disclosures(
        credentials: Credentials,
        page_size: Annotated[int, Query(ge=0, le=500, description="0 means 100.")] = 0,
        page_token: Annotated[str, Query(max_length=64)] = "",
    ) -> DisclosurePage:
        page = await lists.disclosures(access_token(credentials), page_size, page_token)
        return DisclosurePage(receipts=tuple(page.receipts), next_page_token=page.next_page_token)

    return router
