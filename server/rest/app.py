"""The FastAPI application."""

from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from xinyidai.reasons import Reason

from server.accounts.desk import AccountDesk
from server.accounts.limits import RateLimiter
from server.admission import Admission
from server.dashboard.service import DashboardService
from server.db import Database
from server.enclaves import Enclaves
from server.loans.desk import LoanDesk
from server.market.desk import MarketDesk
from server.pages.dashboard import dashboard_page_routes
from server.pages.quality import page_routes
from server.pages.verify import verify_routes
from server.portal import include_portal
from server.portal.guard import Guard
from server.quality.service import QualityService
from server.relay.consent import ConsentRelay
from server.relay.enterprises import EnterpriseRelay
from server.relay.log import LogRelay
from server.relay.whitelist import WhiteListRelay
from server.rest.consent import consent_routes
from server.rest.dashboard import dashboard_routes
from server.rest.edge import Edge
from server.rest.loans import loan_routes
from server.rest.log import log_routes
from server.rest.market import market_routes
from server.rest.problems import problem
from server.rest.routes import enterprise_routes, health_routes, public_routes
from server.rest.whitelist import white_list_routes

_DESCRIPTION: Final = (
    "企业授权、撤销、查看本企业数据的使用情况。平台只转发,由数据域逐一验证签名。\n\n"
    "Enterprises grant and revoke authorizations and see every use of their data. The platform only relays; the "
    "enclave verifies every signature itself."
)
_MOST_ERRORS: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What keeps one caller from crowding out the others."""

    admission: Admission
    requests: RateLimiter
    """By address, of everything."""
    sign_ins: RateLimiter
    """By address and by account, of what signs in."""


def build_rest(
    database: Database,
    enclaves: Enclaves,
    relay: EnterpriseRelay,
    consent: ConsentRelay,
    logs: LogRelay,
    desk: MarketDesk,
    lists: WhiteListRelay,
    loans: LoanDesk,
    dashboard: DashboardService,
    accounts: AccountDesk,
    limits: Limits,
) -> FastAPI:
    app = FastAPI(
        title="信易贷 / Xinyidai",
        version="1",
        description=_DESCRIPTION,
        openapi_url="/v1/openapi.json",
        # The bundled pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(enterprise_routes(relay))
    app.include_router(consent_routes(consent))
    app.include_router(log_routes(logs))
    app.include_router(market_routes(desk))
    app.include_router(white_list_routes(lists))
    app.include_router(loan_routes(loans))
    app.include_router(dashboard_routes(dashboard))
    quality = QualityService(enclaves)
    app.include_router(public_routes(database, enclaves, quality))
    app.include_router(page_routes(quality))
    app.include_router(dashboard_page_routes(dashboard))
    include_portal(app, Guard(accounts, limits.sign_ins), database)
    app.include_router(verify_routes())
    app.include_router(health_routes(database, enclaves))
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _not_http)
    app.add_middleware(Edge, admission=limits.admission, limiter=limits.requests)
    return app


def _not_valid(_: Request, error: Exception) -> JSONResponse:
    """Says where and which rule, never what was sent."""
    found = error.errors()[:_MOST_ERRORS] if isinstance(error, RequestValidationError) else []
    detail = "; ".join(f"{'.'.join(str(part) for part in entry['loc'])}: {entry['msg']}" for entry in found)
    return problem(Reason.REQUEST_INVALID, detail)


def _not_http(_: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 400
    return problem(Reason.REQUEST_INVALID, "no such path or method; see /v1/openapi.json", status)
