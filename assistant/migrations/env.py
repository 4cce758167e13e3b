"""Alembic's way in. `assistant.database_schema` hands it the connection; nothing else runs it."""

from alembic import context

import assistant.tables
import knowledge.tables
from knowledge.database import Base

__all__ = ["assistant", "knowledge"]


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave the job queue's tables alone when revisions are compared with the tables: they are procrastinate's."""
    return not (kind == "table" and name is not None and name.startswith("procrastinate_"))


context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata, include_name=_ours)
with context.begin_transaction():
    context.run_migrations()
