"""What a change to the knowledge would do to the questions that customers really asked, and whether it may go ahead.

It knows whose questions they are and what the operator set; the trial itself is in `knowledge.changes`.
"""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from assistant.errors import ConfirmationRequired
from assistant.runtime import Runtime
from assistant.tables import Message
from knowledge import changes, labelled
from knowledge.changes import Change, ChangePreview

LONGEST = 2_000
"""Characters of a message that are asked."""
_REPEATED = 3
"""Messages read for each that is asked: some say the same."""


def recent_questions(session: Session, limit: int) -> list[str]:
    """Return the texts of the newest messages of customers, newest first, equal ones once."""
    text = func.left(Message.text, LONGEST)
    newest = select(text).where(Message.direction == "incoming").order_by(Message.id.desc()).limit(limit * _REPEATED)
    return list(dict.fromkeys(session.scalars(newest)))[:limit]


def preview(runtime: Runtime, session: Session, asked: Sequence[Change]) -> ChangePreview:
    """Return which of customers' newest questions and of the labelled ones would be answered otherwise.

    How many are asked and the floor of recall are the operator's. Nothing is written. Raises what loading the index
    raises.
    """
    settings = runtime.settings
    return changes.preview_changes(
        runtime.knowledge_base(),
        session,
        asked,
        recent_questions(session, settings.replay_questions),
        labelled.queries(session),
        floor=settings.recall_floor,
    )


def ensure_recall(runtime: Runtime, session: Session, asked: Sequence[Change], *, confirmed: bool) -> None:
    """Let a change pass that leaves the labelled questions their answers, or that somebody `confirmed`.

    Raises ConfirmationRequired where recall@5 on the labelled questions would be lower than it is and lower than the
    operator's floor. Without labelled questions everything passes, and no index is loaded.
    """
    if confirmed:
        return
    questions = labelled.queries(session)
    if not any(query.relevant for query in questions):
        return
    floor = runtime.settings.recall_floor
    recall = changes.recall_after(runtime.knowledge_base(), session, asked, questions, floor=floor)
    if recall.before is not None and recall.after is not None and recall.needs_confirmation:
        raise ConfirmationRequired(before=recall.before, after=recall.after, floor=floor)
