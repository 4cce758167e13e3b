"""Alembic's way in. `assistant.database_schema` hands it the connection; nothing else runs it."""

from alembic import context

import assistant.tables
import knowledge.tables
from knowledge.database import Base

__all__ = ["assistant", "knowledge"]

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
