"""The wire types of what maintainers do with the knowledge: what is missing, how it is used, what is kept right.

It knows shapes, as `schemas` does, and nothing of how they come about.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal, cast

from pydantic import Field

from api.schemas import EntryOut, OptionalName, Search, Wire
from knowledge.entries import Audience, Kind, Line, Text, Wanted
from models import Language


class GapReplyOut(Wire):
    """A reply that agents wrote, personal data taken out, and to how many of the questions."""

    text: str
    language: Language | None
    count: int


class ProposalOut(Wire):
    """An entry to begin with; `answer` is empty where no agent has replied yet."""

    kind: Kind
    external_id: str
    question: str
    answer: str
    language: Language | None
    alternatives: list[str]
    tags: list[str]


class GapOut(Wire):
    """A matter that nothing answers, called by its most central question. `count`: how often it was asked."""

    question: str
    count: int
    languages: dict[str, int]
    reasons: dict[str, int]
    questions: list[str]
    replies: list[GapReplyOut]
    proposal: ProposalOut
    first_at: datetime
    last_at: datetime


class GapsOut(Wire):
    """The most asked first; a question that stands alone is a gap of one."""

    gaps: list[GapOut]


class UsageOut(Wire):
    """What agents did with the drafts that cite an entry."""

    shown: int
    used: int
    edited: int
    rejected: int
    last_used_at: datetime | None


class EntryUsage(UsageOut):
    """The figures of one entry."""

    entry_id: int
    external_id: str
    kind: Kind
    question: str
    often_rejected: bool


class UsageList(Wire):
    """The most rejected first."""

    usage: list[EntryUsage]


class DemotedEntry(Wire):
    """A past reply that is no longer drafted from, and why."""

    id: int
    external_id: str
    question: str
    answer: str
    language: Language | None
    sent_at: datetime | None
    demoted_reason: str


class DemotedOut(Wire):
    """Past replies that contradict a newer FAQ entry."""

    entries: list[DemotedEntry]


class EntryQuery(Wire):
    """Which entries to list: those that are not retired, where nothing else is said."""

    q: Search | None = None
    kind: Kind | None = None
    language: Language | None = None
    audience: Audience | None = None
    tag: OptionalName | None = None
    owner: OptionalName | None = None
    source: OptionalName | None = None
    retired: bool | None = False
    valid: Annotated[bool | None, Field(description="Whether now lies in the window of validity")] = None
    after: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50

    @property
    def conditions(self) -> Wanted:
        """What `entries.page` takes."""
        return cast("Wanted", self.model_dump(exclude={"after", "limit"}))


class EntryDetail(EntryOut):
    """An entry as it stands, and how it does in agents' hands."""

    usage: UsageOut


class EntryList(Wire):
    """Entries, the most pressing first."""

    entries: list[EntryOut]


class PieceOut(Wire):
    """A run of words that stayed, went or came."""

    op: Literal["same", "del", "ins"]
    text: str


class FieldChangeOut(Wire):
    """A field that differs; `words` for question and answer alone."""

    field: str
    before: Any
    after: Any
    words: list[PieceOut] | None


class RevisionOut(Wire):
    """What an entry said from one moment on, who made it say so, and what that changed."""

    number: int
    author: str
    created_at: datetime
    retired: bool
    question: str
    answer: str
    data: dict[str, Any]
    changes: list[FieldChangeOut]


class RevisionsOut(Wire):
    """All revisions, newest first."""

    revisions: list[RevisionOut]


class RestoreIn(Wire):
    """Which revision the entry is to say again; without one, a retired entry comes back as it is.

    With `expected_revision`, a change that somebody else made meanwhile is not overwritten (409).
    """

    revision: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    expected_revision: int | None = None
    confirm: bool = False


class ReviewedIn(Wire):
    """When the entry is to be reviewed next; where not given, after the days that the operator set."""

    next_on: date | None = None
    expected_revision: int | None = None


class PreviewIn(Wire):
    """A change that is not made yet: of the entry `entry_id` the fields to change (`retired: true` takes it out), or
    without an id all fields of a new entry."""

    entry_id: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    change: dict[str, Any]


class SourceOut(Wire):
    """An entry that an answer would rest on."""

    entry_id: int
    external_id: str
    title: str
    score: float


class AnswerOut(Wire):
    """What a question finds."""

    answerable: bool
    confidence: float
    sources: list[SourceOut]


class AnswerChangeOut(Wire):
    """A question that would be answered otherwise."""

    question: str
    language: str | None
    change: Literal["gained", "lost", "changed"]
    labelled: bool
    before: AnswerOut
    after: AnswerOut


class PreviewOut(Wire):
    """What the change would do: the questions whose answers change, and recall@5 on the labelled ones."""

    asked: int
    counts: dict[str, int]
    answers: list[AnswerChangeOut]
    recall_before: float | None
    recall_after: float | None
    floor: float
    needs_confirmation: bool


class Difference(Wire):
    """Two facts that differ, as they are written in the two entries."""

    entry: str
    other: str


class FindingOut(Wire):
    """Two entries to look at side by side: one repeats or contradicts the other."""

    id: int
    kind: Literal["duplicate", "contradiction"]
    similarity: float
    differences: list[Difference]
    found_at: datetime
    dismissed_by: str | None
    dismissed_at: datetime | None
    entry: EntryOut
    other: EntryOut


class FindingsOut(Wire):
    """Contradictions first, then duplicates, the newest first."""

    findings: list[FindingOut]


class LabelledIn(Wire):
    """A question of customers and the ids of the entries that answer it; none: abstaining is right."""

    text: Annotated[Text, Field(max_length=2_000)]
    relevant: Annotated[list[Line], Field(max_length=100, default_factory=list)]
    language: Language | None = None


class LabelledOut(LabelledIn):
    """A labelled question as it is kept."""

    id: int
    author: str
    created_at: datetime


class LabelledList(Wire):
    """All labelled questions, in the order in which they came."""

    questions: list[LabelledOut]


class RejectedRow(Wire):
    """A row that was not taken in, and why; `unit` says what is counted, for example lines or articles."""

    line: int
    reason: str
    unit: str
    file: str


class EntryChangeOut(Wire):
    """What a row would do: a new entry has no `fields`; `restores` a retired one."""

    kind: Kind
    external_id: str
    question: str
    fields: list[FieldChangeOut]
    restores: bool


class VanishedOut(Wire):
    """An entry that came from this source and is not in it any more."""

    id: int
    kind: Kind
    external_id: str
    question: str


class ImportOut(Wire):
    """What an import did (or would do); the good rows are in whatever stood beside them.

    The numbers count all; `rejected`, `vanished` and `changes` (of a dry run only) hold the first thousand of each.
    """

    added: int
    changed: int
    unchanged: int
    rejected: list[RejectedRow]
    rejected_count: int
    left_out: dict[str, int]
    changes: list[EntryChangeOut]
    vanished: list[VanishedOut]
    vanished_count: int
    retired: int


class ImportRunOut(Wire):
    """An uploaded file on its way; `changes` is as the answer of a dry run, empty until it is previewed."""

    id: int
    source: str
    file: str
    kind: Kind | None
    format: str | None
    author: str
    state: Literal["waiting", "previewing", "previewed", "applying", "applied", "cancelled", "failed"]
    retire_missing: bool
    rows_done: int
    rows_total: int | None
    changes: dict[str, Any]
    failure: str | None
    created_at: datetime
    finished_at: datetime | None


class ImportRuns(Wire):
    """One page; `next` is the `before` of the following one, null on the last."""

    imports: list[ImportRunOut]
    next: int | None


class ApplyIn(Wire):
    """How to apply an import: with what vanished retired, and though labelled questions lose their answers."""

    retire_missing: bool = False
    confirm: bool = False
