"""Run by Alembic. The connection comes from `server.db.migrate`; there is no other way in."""

from alembic import context

from server.accounts import models as _accounts  # noqa: F401
from server.alerts import models as _alerts  # noqa: F401
from server.assessments import models as _assessments  # noqa: F401
from server.audit import models as _audit  # noqa: F401
from server.authorizations import models as _authorizations  # noqa: F401
from server.banks import models as _banks  # noqa: F401
from server.db.base import Record
from server.enterprises import models as _enterprises  # noqa: F401
from server.events import models as _events  # noqa: F401
from server.loans import models as _loans  # noqa: F401
from server.market import models as _market  # noqa: F401
from server.objections import models as _objections  # noqa: F401
from server.risk import models as _risk  # noqa: F401
from server.transparency import models as _transparency  # noqa: F401
from server.whitelist import models as _whitelist  # noqa: F401

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Record.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
