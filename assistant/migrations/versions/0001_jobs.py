"""The job queue's own tables, as the installed procrastinate describes them."""

from alembic import op
from procrastinate.schema import SchemaManager

revision: str = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Run procrastinate's schema past SQLAlchemy, because it is full of `%` that are no parameters."""
    op.get_bind().connection.cursor().execute(SchemaManager.get_schema())
