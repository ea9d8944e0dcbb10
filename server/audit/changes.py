"""A change with its line in the audit: one transaction for both; a refusal gets its line too."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from sqlmodel import Session
from xinyidai.signing import DocumentError

from server.audit.service import Event, append
from server.db import Database
from server.errors import Refused

Done = TypeVar("Done")


async def change_audited(
    database: Database, clock: Callable[[], int], event: Event, work: Callable[[Session], Done]
) -> Done:
    """Finished even when the caller is cancelled meanwhile. Raises what `work` raises, and `StorageFailed`."""

    def both(session: Session) -> Done:
        done = work(session)
        append(session, [event], clock())
        return done

    try:
        return await asyncio.shield(database.change(str(event.kind), both))
    except (Refused, DocumentError) as error:
        refused = replace(event, outcome=str(error.reason))
        await database.change(f"{event.kind} refused", append, [refused], clock())
        raise
