"""The knowledge as agents read it: the list, what a customer's question finds in it, one entry and its history.

Nothing is changed here: see `api.web.knowledge_editing`.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api.dependencies import CurrentAgent, RuntimeDep, SessionDep
from api.web.knowledge_access import KNOWLEDGE, LARGEST_ID, EntryId, entry_of, knowledge_page
from assistant import usage
from assistant.runtime import Runtime
from knowledge import entries, revisions, upkeep
from knowledge.entries import Audience, Kind, Wanted
from knowledge.revisions import FieldChange
from knowledge.tables import Entry, Revision
from models import Language

router = APIRouter(prefix=KNOWLEDGE, include_in_schema=False)

State = Literal["live", "due", "not_valid", "retired"]
Text = Annotated[str, Query(max_length=2_000)]

_FOUND = 10  # entries that a customer's question is shown to find
_ON_A_PAGE = 50


@dataclass(frozen=True)
class Filters:
    """What the list shows."""

    q: str = ""
    kind: Kind | None = None
    language: Language | None = None
    audience: Audience | None = None
    tag: str = ""
    state: State = "live"

    @property
    def wanted(self) -> Wanted:
        """The same in the words of `entries.page`."""
        wanted: Wanted = {
            "q": self.q,
            "kind": self.kind,
            "language": self.language,
            "audience": self.audience,
            "tag": self.tag or None,
            "retired": self.state == "retired",
        }
        if self.state == "not_valid":
            wanted["valid"] = False
        return wanted

    def fits(self, entry: Entry) -> bool:
        """Tell whether an entry has what is asked for, its state aside."""
        words = self.q.strip().casefold()
        said = (entry.question, entry.answer, entry.external_id)
        return (
            (not words or any(words in text.casefold() for text in said))
            and self.kind in (None, entry.kind)
            and self.language in (None, entry.language)
            and self.audience in (None, entry.audience)
            and (not self.tag or self.tag in entry.tags)
        )


@dataclass(frozen=True)
class Step:
    """One revision of an entry and what it changed."""

    revision: Revision
    changes: list[FieldChange]


def _filters(
    q: Text = "",
    kind: Literal["", "faq", "past_reply"] = "",
    language: Literal["", "en", "fi"] = "",
    audience: Literal["", "public", "internal"] = "",
    tag: Text = "",
    state: State = "live",
) -> Filters:
    """Read the form above the list, in which nothing chosen is an empty choice."""
    return Filters(q, kind or None, language or None, audience or None, tag, state)


@router.get("")
def show_list(
    request: Request,
    session: SessionDep,
    runtime: RuntimeDep,
    agent: CurrentAgent,
    filters: Annotated[Filters, Depends(_filters)],
    after: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
    ask: str = "",
) -> Response:
    """Show the entries that the filters let through; with `ask`, what the assistant finds for `q` as a question."""
    asked = bool(ask and filters.q.strip())
    found, total = ([], 0) if asked else _found(session, runtime, filters, after)
    uses = usage.usage(session, [entry.id for entry in found])
    session.commit()  # no transaction is open while the search waits for its model
    return knowledge_page(
        request,
        "list.html",
        agent=agent,
        section="entries",
        filters=filters,
        filtered=filters != Filters(),
        total=total,
        found=found[:_ON_A_PAGE],
        uses=uses,
        more=_address(filters, found[_ON_A_PAGE - 1].id) if len(found) > _ON_A_PAGE else None,
        result=runtime.knowledge_base().search(filters.q, k=_FOUND) if asked else None,
    )


@router.get("/entries/{entry_id}")
def show_entry(
    request: Request, session: SessionDep, agent: CurrentAgent, entry_id: EntryId, done: str = ""
) -> Response:
    """Show one entry; `done` is what was just done to it."""
    entry = entry_of(session, entry_id)
    return knowledge_page(
        request,
        "entry.html",
        agent=agent,
        section="entries",
        entry=entry,
        done=done,
        uses=usage.usage(session, [entry.id])[entry.id],
        pairs=upkeep.findings(session, entry_id=entry.id),
        superseded=_superseded(session, entry),
    )


@router.get("/entries/{entry_id}/history")
def show_history(request: Request, session: SessionDep, agent: CurrentAgent, entry_id: EntryId) -> Response:
    """Show everything that an entry said, newest first, and what each revision changed."""
    entry = entry_of(session, entry_id)
    found = revisions.history(session, entry)
    steps = [Step(new, revisions.diff(old, new)) for new, old in zip(found, [*found[1:], None], strict=True)]
    return knowledge_page(request, "history.html", agent=agent, section="entries", entry=entry, steps=steps)


def _superseded(session: Session, entry: Entry) -> list[Entry]:
    """Return the entries that this one replaces, as far as there are any by these ids."""
    found = (entries.find(session, cast("Kind", entry.kind), name) for name in entry.supersedes)
    return [one for one in found if one is not None]


def _found(session: Session, runtime: Runtime, filters: Filters, after: int | None) -> tuple[list[Entry], int]:
    """Return a page of entries and one more, and how many there are in all."""
    if filters.state == "due":
        every = upkeep.due(session, after_days=runtime.settings.review_after_days)
        fitting = sorted(filter(filters.fits, every), key=lambda entry: entry.id)
        return [entry for entry in fitting if entry.id > (after or 0)][: _ON_A_PAGE + 1], len(fitting)
    found = entries.page(session, after=after, limit=_ON_A_PAGE + 1, **filters.wanted)
    return found, entries.count(session, **filters.wanted)


def _address(filters: Filters, after: int) -> str:
    """Return the address of the page of the list that begins after this entry."""
    chosen = {name: value for name, value in vars(filters).items() if value}
    return f"{KNOWLEDGE}?{urlencode(chosen | {'after': after})}"
