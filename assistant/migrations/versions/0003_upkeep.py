"""What maintainers know about entries: audience, owner, review, source; findings, labelled questions, imports."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    """Add the columns and create the tables."""
    _extend_entry()
    op.add_column("draft", sa.Column("guidance", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False))
    op.add_column("citation", sa.Column("language", sa.Text(), nullable=True))
    op.create_index("ix_citation_entry", "citation", ["entry_id"])
    _create_finding()
    op.create_table(
        "labelled_question",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("relevant", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("text <> ''", name=op.f("ck_labelled_question_not_blank")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labelled_question")),
        sa.UniqueConstraint("text", name=op.f("uq_labelled_question_text")),
    )
    _create_import_run()


def _extend_entry() -> None:
    for column in (
        sa.Column("audience", sa.Text(), server_default="public", nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("review_on", sa.Date(), nullable=True),
        sa.Column("supersedes", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("demoted_reason", sa.Text(), nullable=True),
    ):
        op.add_column("entry", column)
    op.create_check_constraint(op.f("ck_entry_audience"), "entry", "audience IN ('public', 'internal')")
    op.create_check_constraint(op.f("ck_entry_demoted"), "entry", "demoted_reason IS NULL OR kind = 'past_reply'")
    op.create_index("ix_entry_review", "entry", ["review_on"], postgresql_where="review_on IS NOT NULL")
    op.create_index("ix_entry_source", "entry", ["source"])


def _create_finding() -> None:
    op.create_table(
        "finding",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("entry_hash", sa.Text(), nullable=False),
        sa.Column("other_hash", sa.Text(), nullable=False),
        sa.Column("similarity", sa.Float(), nullable=False),
        sa.Column("differences", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dismissed_by", sa.Text(), nullable=True),
        sa.Column("dismissed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('duplicate', 'contradiction')", name=op.f("ck_finding_kind")),
        sa.CheckConstraint("entry_id < other_id", name=op.f("ck_finding_order")),
        sa.CheckConstraint("(dismissed_at IS NULL) = (dismissed_by IS NULL)", name=op.f("ck_finding_dismissed")),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_finding_entry_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["other_id"], ["entry.id"], name=op.f("fk_finding_other_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
        sa.UniqueConstraint("entry_id", "other_id", name=op.f("uq_finding_entry_id_other_id")),
    )


def _create_import_run() -> None:
    op.create_table(
        "import_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("format", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("retire_missing", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("rows_done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.Column("changes", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'previewing', 'previewed', 'applying', 'applied', 'cancelled', 'failed')",
            name=op.f("ck_import_run_state"),
        ),
        sa.CheckConstraint("(state = 'failed') = (failure IS NOT NULL)", name=op.f("ck_import_run_failure")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_run")),
    )
