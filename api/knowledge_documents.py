"""What is stored of the knowledge → what goes out: the same documents for the JSON API and for `--json`."""

from typing import Any

from sqlalchemy.orm import Session

from api.knowledge_schemas import FindingOut, LabelledOut, RevisionOut
from api.schemas import EntryOut
from knowledge import revisions
from knowledge.tables import Entry, LabelledQuestion
from knowledge.upkeep import Pair


def entry_document(entry: Entry) -> EntryOut:
    """Return the entry as it stands."""
    return EntryOut.model_validate(entry)


def revision_documents(session: Session, entry: Entry) -> list[RevisionOut]:
    """Return all that the entry said, newest first, each with what it changed of the one before."""
    found = revisions.history(session, entry)
    return [
        RevisionOut.model_validate(
            {
                **{name: getattr(new, name) for name in ("number", "author", "created_at", "question", "answer")},
                "retired": bool(new.data.get("retired")),
                "data": {name: value for name, value in new.data.items() if name != "retired"},
                "changes": [vars(change) for change in revisions.diff(old, new)],
            }
        )
        for new, old in zip(found, [*found[1:], None], strict=True)
    ]


def finding_document(pair: Pair) -> FindingOut:
    """Return a finding with both of its entries."""
    finding: dict[str, Any] = {
        name: getattr(pair.finding, name)
        for name in ("id", "kind", "similarity", "differences", "found_at", "dismissed_by", "dismissed_at")
    }
    return FindingOut.model_validate(
        finding | {"entry": entry_document(pair.entry), "other": entry_document(pair.other)}
    )


def labelled_document(question: LabelledQuestion) -> LabelledOut:
    """Return a labelled question."""
    return LabelledOut.model_validate(question)
