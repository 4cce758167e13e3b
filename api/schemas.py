"""The wire types: what the JSON API takes and gives, and nothing of how it is decided.

Text from strangers is cleaned on its way in (NUL and lone surrogates cannot be stored), not refused: a customer's
message must not be lost for a broken emoji.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AfterValidator, AliasChoices, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic import StringConstraints as Limits

from knowledge.database import clean_text
from knowledge.entries import Audience, EntryContent, Kind, Line, Moment
from models import Language

MAX_TEXT = 200_000
Visibility = Literal["private", "public"]


def _clean(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _plausible(value: datetime) -> datetime:
    """Refuse the years that PostgreSQL or a clock gone wrong would trip over (0001, 9999)."""
    if not datetime(2000, 1, 1, tzinfo=UTC) <= value <= datetime.now(UTC) + timedelta(days=1):
        raise ValueError("must lie between the year 2000 and tomorrow")
    return value


Name = Annotated[str, BeforeValidator(_clean), Limits(max_length=200), AfterValidator(_not_blank)]
OptionalName = Annotated[str, BeforeValidator(_clean), Limits(max_length=200)]
# An id is never cleaned or shortened: two of them could become one.
Identifier = Annotated[str, Limits(max_length=500), AfterValidator(_not_blank)]
Text = Annotated[str, BeforeValidator(_clean), Limits(max_length=MAX_TEXT), AfterValidator(_not_blank)]
Reason = Annotated[str, BeforeValidator(_clean), Limits(max_length=2_000), AfterValidator(_not_blank)]
SentAt = Annotated[AwareDatetime, AfterValidator(_plausible)]

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
EntryId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Limit = Annotated[int, Query(ge=1, le=200)]
Search = Annotated[OptionalName, Query(description="Occurs in the text, in any case")]


class Wire(BaseModel):
    """What comes in or goes out; unknown fields are passed over, so that a newer integrator can talk to us."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)


class CustomerIn(Wire):
    """Who wrote, as the channel knows them."""

    id: Identifier
    name: OptionalName | None = None


class MessageIn(Wire):
    """A customer's message. `external_id` is the channel's own id: the same one again is a duplicate."""

    channel: Annotated[Name, Field(description="The channel's name or id")]
    external_id: Identifier
    customer: CustomerIn
    thread_id: Annotated[str, Limits(max_length=500)] | None = None
    text: Text
    sent_at: SentAt | None = None
    visibility: Visibility = "private"


class Received(Wire):
    """Where the message went."""

    message_id: int
    conversation_id: int
    duplicate: bool


class Ignored(Wire):
    """Something in a webhook that is no message, and why."""

    why: str


class WebhookTaken(Wire):
    """What came of a webhook's payload."""

    messages: list[Received]
    ignored: list[Ignored]


class Sentence(Wire):
    """A sentence of a draft and the numbers of the citations that support it."""

    text: str
    supported: bool
    citations: list[int]


class CitationOut(Wire):
    """A source, as it was when the draft was written; `language` stands there where it is not the draft's."""

    n: int
    entry_id: int
    external_id: str
    title: str
    excerpt: str
    url: str | None
    language: str | None = Field(None, exclude_if=lambda language: language is None)


class GuidanceOut(Wire):
    """An internal entry that may help the agent; nothing of it is for the customer."""

    entry_id: int
    title: str
    excerpt: str


class DraftDocument(Wire):
    """A reply that the assistant suggests; `text` is exactly what would be sent."""

    status: str
    origin: Literal["model", "extract", "template"] | None
    language: str | None
    text: str | None
    sentences: list[Sentence]
    unsupported_facts: list[str]
    citations: list[CitationOut]
    guidance: list[GuidanceOut] = Field([], exclude_if=lambda guidance: not guidance)
    confidence: float | None
    model: str | None
    timings_ms: dict[str, float]


class DraftOut(DraftDocument):
    """A stored draft. `fingerprint` stands for this draft in this state of the conversation: approving asks for it."""

    id: int
    conversation_id: int
    fingerprint: str | None
    failure: str | None = None
    final_text: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None


class MessageOut(Wire):
    """Something said: by the customer (incoming), to the customer (outgoing) or among agents (note)."""

    id: int
    direction: Literal["incoming", "outgoing", "note"]
    text: str
    agent: str | None
    sent_at: datetime
    delivery: str | None


class ConversationOut(Wire):
    """A line of the inbox."""

    id: int
    channel: str
    customer: CustomerIn
    thread_id: str | None
    visibility: Visibility
    status: str
    language: str | None
    urgency: int
    waiting_since: datetime | None
    last_message_at: datetime
    preview: str | None = None
    draft_status: str | None = None


class ConversationDetail(ConversationOut):
    """A conversation with everything said (oldest first) and the draft that waits for a decision, if one does."""

    messages: list[MessageOut]
    draft: DraftOut | None


class ConversationPage(Wire):
    """One page; `next` is the `after` of the following one, null on the last."""

    conversations: list[ConversationOut]
    next: str | None


class NewDraft(Wire):
    """Ask for another draft, with what it should do differently."""

    instruction: Annotated[str, BeforeValidator(_clean), Limits(max_length=2_000)] | None = None


class DraftRequested(Wire):
    """The draft is being written; fetch it at `/api/v1/drafts/{id}`."""

    id: int
    conversation_id: int
    status: str


class Approval(Wire):
    """What is to be sent (the draft's own text where `text` is missing), and for which state of the conversation."""

    fingerprint: Name
    text: Text | None = None
    reason: Reason | None = None


class Approved(Wire):
    """The reply that is on its way."""

    draft_id: int
    message_id: int
    conversation_id: int
    text: str
    status: Literal["approved"] = "approved"


class Rejection(Wire):
    """Why the draft will not do."""

    reason: Reason
    fingerprint: Name | None = None


class Rejected(Wire):
    """The decision that was kept."""

    draft_id: int
    conversation_id: int
    status: Literal["rejected"] = "rejected"


class Turn(Wire):
    """An earlier message of the conversation."""

    role: Literal["customer", "agent"]
    text: Text


class PersonName(Wire):
    """What to call the customer."""

    name: OptionalName | None = None


class SuggestIn(Wire):
    """A message of somebody else's helpdesk; `history` is oldest first and does not repeat `text`."""

    text: Text
    history: Annotated[list[Turn], Field(max_length=200)] = []
    customer: PersonName | None = None
    language: Language | None = None
    channel: OptionalName | None = None
    visibility: Visibility = "private"


class EntryIn(EntryContent):
    """A new FAQ entry or past reply; the id may be called `id`, as in the files."""

    kind: Kind = "faq"
    external_id: Line = Field(validation_alias=AliasChoices("external_id", "id"))
    confirm: bool = Field(False, exclude=True)

    @property
    def content(self) -> EntryContent:
        """What the entry is to say, without what is said about the request."""
        return EntryContent.model_validate(self.model_dump(exclude={"confirm"}))


class EntryChange(Wire):
    """The fields to change. With `revision`, a change that somebody else made meanwhile is not overwritten (409).

    A change by which the labelled questions find their entries less often needs `confirm` (409 without).
    """

    question: str | None = None
    answer: str | None = None
    language: Language | None = None
    url: str | None = None
    tags: list[str] | None = None
    alternatives: list[str] | None = None
    valid_from: Moment | None = None
    valid_until: Any = None
    channel: str | None = None
    sent_at: Moment | None = None
    audience: Audience | None = None
    owner: str | None = None
    review_on: date | None = None
    supersedes: list[str] | None = None
    retired: bool | None = None
    revision: int | None = None
    confirm: bool = False


class EntryOut(Wire):
    """An entry as it stands."""

    id: int
    kind: Kind
    external_id: str
    question: str
    answer: str
    language: str | None
    url: str | None
    tags: list[str]
    alternatives: list[str]
    channel: str | None
    sent_at: datetime | None
    valid_from: datetime | None
    valid_until: datetime | None
    audience: Audience
    owner: str | None
    review_on: date | None
    supersedes: list[str]
    source: str | None
    demoted_reason: str | None
    revision: int
    retired_at: datetime | None
    updated_at: datetime


class EntryPage(Wire):
    """One page; `next` is the `after` of the following one, null on the last."""

    entries: list[EntryOut]
    next: int | None


class SearchIn(Wire):
    """A question to the knowledge."""

    question: Text
    k: Annotated[int, Field(ge=1, le=50)] = 5
    language: Language | None = None


class MatchOut(Wire):
    """An entry that may answer, best first; the ranks are those of the two searches that were fused."""

    entry_id: int
    external_id: str
    kind: Kind
    question: str
    answer: str
    score: float
    dense_rank: int | None
    lexical_rank: int | None


class SearchOut(Wire):
    """What the knowledge says; where `answerable` is false, nothing in it answers the question."""

    question: str
    language: str | None
    answerable: bool
    matches: list[MatchOut]
