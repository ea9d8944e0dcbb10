"""The platform's database: SQLite by default, PostgreSQL in production. Knows no domain; the domains know it."""

from server.db.base import Record
from server.db.database import Database, SchemaOutdated, StorageFailed
from server.db.migrate import check_schema, migrate

__all__ = ["Database", "Record", "SchemaOutdated", "StorageFailed", "check_schema", "migrate"]
