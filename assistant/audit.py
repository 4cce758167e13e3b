"""Who did what, when: one row per deed, in the deed's own transaction. No texts of customers go in."""

from typing import Any

from sqlalchemy.orm import Session

from assistant.tables import Agent, ApiToken, AuditRecord


def record(
    session: Session,
    action: str,
    *,
    subject: str,
    subject_id: int | str | None = None,
    agent: Agent | None = None,
    token: ApiToken | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Note that `agent`, or a program with `token`, did `action` to a row of the table `subject`."""
    session.add(
        AuditRecord(
            action=action,
            subject=subject,
            subject_id=None if subject_id is None else str(subject_id),
            agent_id=None if agent is None else agent.id,
            token_id=None if token is None else token.id,
            details=details or {},
        )
    )
