"""What agents teach: which questions show a gap in the knowledge, and which approved replies become past replies.

It reads conversations and decisions, takes personal data out, and hands texts to `knowledge`. What comes through
`/api/v1/suggest` is not stored, so nothing is learned from it and it shows no gap.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Row, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Session, joinedload

from assistant import queue
from assistant.bodies import REWRITTEN, body, is_rewritten, similarity, substance, trimmed
from assistant.persona import Persona
from assistant.runtime import Runtime
from assistant.sentences import sentences
from assistant.tables import Conversation, Draft, Message
from knowledge import entries, gaps
from knowledge.database import utcnow
from knowledge.entries import EntryContent
from knowledge.gaps import Asked, Gap, Reason
from knowledge.questions import needs_passage
from knowledge.redaction import SLOT, redact_exchange
from knowledge.search import KnowledgeBase
from knowledge.tables import Entry
from models import Language, LanguageIdentifier

SHOWN_GAPS = 100
LONGEST_MESSAGE = 2_000
"""Characters of each of the customer's messages that are looked at; of all that are answered at once, four times as
many."""
LONGEST_REPLY = 10_000
"""Characters. What is longer was written for one customer alone, and is not learned."""

# A question is what the customer wrote between the reply before and the newest message that the draft answers. A long
# message is cut where a sentence ends: half a telephone number would not be seen to be one.
_QUESTION = """
    JOIN conversation ON conversation.id = draft.conversation_id
    JOIN customer ON customer.id = conversation.customer_id
    JOIN LATERAL (
        SELECT coalesce(max(message.id), 0) AS id FROM message
        WHERE message.conversation_id = draft.conversation_id
        AND message.direction = 'outgoing' AND message.id < draft.message_id
    ) AS before ON true
    JOIN LATERAL (
        SELECT string_agg(
            CASE WHEN length(message.text) <= :longest THEN message.text
            ELSE coalesce(substring(left(message.text, :longest) from '^(.*(?:[.!?]\\s|\\n))'), '') END,
            E'\\n\\n' ORDER BY message.id
        ) AS text, max(message.created_at) AS asked_at
        FROM message
        WHERE message.conversation_id = draft.conversation_id AND message.direction = 'incoming'
        AND message.id > before.id AND message.id <= draft.message_id
    ) AS question ON true
"""
# A draft that abstained keeps no confidence, whatever was decided about it; the phrases that answer thanks have some.
# One that was superseded counts only where none came after it, as when the conversation was closed without a reply.
_TROUBLE = sql(f"""
    SELECT draft.conversation_id, before.id AS before, question.text AS question, question.asked_at,
        customer.name AS customer, draft.status, draft.origin = 'template' AS abstained, draft.text, draft.final_text
    FROM draft {_QUESTION}
    WHERE draft.created_at >= :since AND draft.text IS NOT NULL
    AND (draft.origin IS DISTINCT FROM 'template' OR draft.confidence IS NULL)
    AND (
        draft.status = 'rejected'
        OR draft.status = 'approved' AND (draft.origin = 'template' OR draft.edit_diff IS NOT NULL)
        OR draft.status = 'abstained'
        OR draft.status = 'superseded' AND draft.origin = 'template' AND NOT EXISTS (
            SELECT FROM draft AS later WHERE later.conversation_id = draft.conversation_id AND later.id > draft.id)
    )
    ORDER BY draft.id DESC
""")  # noqa: S608 (a constant)
_ANSWERED = sql(f"SELECT question.text FROM draft {_QUESTION} WHERE draft.id = :draft_id")  # noqa: S608 (a constant)


def knowledge_gaps(runtime: Runtime, *, days: int | None = None, limit: int = SHOWN_GAPS) -> list[Gap]:
    """Return what customers asked in the last `days` (ASPA_GAP_DAYS) and nothing answers, the most asked first.

    A question counts once, however many drafts were written to it, where its draft abstained, was rejected or was
    rewritten. What the knowledge answers since is left out. Opens its own transactions.
    """
    base = runtime.knowledge_base()
    since = utcnow() - timedelta(days=days or runtime.settings.gap_days)
    with runtime.sessions() as session:
        asked = unanswered_questions(
            session, since=since, persona=runtime.persona(), identifier=runtime.identifier(), known=known_words(base)
        )
    found = gaps.find_gaps(asked, runtime.embedder())
    with runtime.sessions() as session:
        return list(gaps.unanswered(session, found, base.search, limit=limit))


def unanswered_questions(
    session: Session, *, since: datetime, persona: Persona, identifier: LanguageIdentifier, known: frozenset[str]
) -> list[Asked]:
    """Return the questions since then that the assistant did not answer well, redacted, newest first, at most 5,000.

    `known` is what the knowledge states and is therefore nobody's personal data.
    """
    turns = _troubled(session, since)
    found = []
    for turn, reply in _with_replies(session, turns, persona):
        names = (turn.customer,) if turn.customer else ()
        text, answer = _redacted(body(_beginning(turn.question), persona), trimmed(reply, persona), names, known)
        if _says_something(text) and needs_passage(text):
            asked = Asked(
                text, turn.asked_at, turn.reason, identifier.identify(text), answer, identifier.identify(answer)
            )
            found.append(asked)
    return found


def learn(
    session: Session, message_id: int, *, persona: Persona, identifier: LanguageIdentifier, known: frozenset[str]
) -> Entry | None:
    """Make a past reply of an approved reply, and have it indexed; None where nothing new or nothing safe is in it.

    Learned is what was sent without greeting and signature, personal data replaced by slots, under what the customer
    wrote; only where each sentence that asserts something was checked or was written by the agent. It is done once for
    a message: an entry that a maintainer changed or retired since stays so.
    """
    message = session.scalar(
        select(Message)
        .where(Message.id == message_id, Message.direction == "outgoing")
        .options(
            joinedload(Message.agent),
            joinedload(Message.draft),
            joinedload(Message.conversation).options(
                joinedload(Conversation.channel), joinedload(Conversation.customer)
            ),
        )
    )
    external_id = f"reply-{message_id}"
    if message is None or message.draft is None or entries.find(session, "past_reply", external_id) is not None:
        return None
    said = substance(message.text, persona) if len(message.text) <= LONGEST_REPLY else []
    if not said or not _vouched_for(message.draft, said):
        return None
    conversation = message.conversation
    asked = session.scalar(_ANSWERED, {"draft_id": message.draft.id, "longest": LONGEST_MESSAGE}) or ""
    names = tuple(name for name in (conversation.customer.name, message.agent and message.agent.name) if name)
    question, answer = _redacted(body(_beginning(asked), persona), trimmed(message.text, persona), names, known)
    if not _says_something(question) or all(SLOT.search(sentence) for sentence in substance(answer, persona)):
        return None
    content = EntryContent(
        kind="past_reply",
        external_id=external_id,
        question=question,
        answer=answer,
        language=identifier.identify(answer) or cast("Language | None", message.draft.language),
        channel=conversation.channel.name,
        sent_at=message.sent_at,
    )
    if _is_known(session, content):
        return None
    entries.put(session, content, author=message.agent.name if message.agent else "aspa")
    queue.defer_index_knowledge(session)
    return entries.find(session, "past_reply", external_id)


def learn_from_reply(runtime: Runtime, message_id: int) -> None:
    """Do the job of `queue.defer_learning`; without ASPA_LEARN nothing."""
    if not runtime.settings.learn:
        return
    known = known_words(runtime.knowledge_base())
    with runtime.sessions.begin() as session:
        learn(session, message_id, persona=runtime.persona(), identifier=runtime.identifier(), known=known)


_known: dict[str, frozenset[str]] = {}  # what the newest index states, by its name


def known_words(base: KnowledgeBase) -> frozenset[str]:
    """Return what the FAQ states, which redaction therefore leaves alone."""
    index = base.index
    words = _known.get(index.name)
    if words is None:
        words = frozenset().union(*(entry.names for entry in index.entries.values() if entry.kind == "faq"))
        _known.clear()
        _known[index.name] = words
    return words


@dataclass
class _Turn:
    """A question with what became of its drafts, and where in the conversation it stands."""

    conversation_id: int
    before: int
    question: str
    asked_at: datetime
    customer: str | None
    reason: Reason


def _troubled(session: Session, since: datetime) -> list[_Turn]:
    """Return the newest questions, each with the reason that its first draft gave."""
    turns: dict[tuple[int, int], _Turn] = {}
    rows = session.execute(_TROUBLE, {"since": since, "longest": LONGEST_MESSAGE}, execution_options={"yield_per": 500})
    with rows:
        for row in rows:
            reason = _reason(row)
            if reason is None:
                continue
            key = (row.conversation_id, row.before)
            if key in turns:
                turns[key].reason = reason  # an older draft to the same question: its trouble came first
            elif len(turns) == gaps.MOST:
                break
            else:
                turns[key] = _Turn(*key, row.question, row.asked_at, row.customer, reason)
    return list(turns.values())


def _reason(row: Row[Any]) -> Reason | None:
    if row.abstained:
        return "abstained"
    if row.status == "rejected":
        return "rejected"
    return "rewritten" if is_rewritten(row.text, row.final_text) else None


def _with_replies(session: Session, turns: Sequence[_Turn], persona: Persona) -> Iterator[tuple[_Turn, str]]:
    """Return each question with the first reply after it that says something: "I will check" often comes before it."""
    sent: dict[int, list[tuple[int, str]]] = {}
    conversations = sorted({turn.conversation_id for turn in turns})
    statement = select(Message.conversation_id, Message.id, Message.text).where(
        Message.conversation_id.in_(conversations), Message.direction == "outgoing"
    )
    for conversation, number, text in session.execute(statement.order_by(Message.id)):
        sent.setdefault(conversation, []).append((number, text))
    for turn in turns:
        later = (text for number, text in sent.get(turn.conversation_id, ()) if number > turn.before)
        yield turn, next((text for text in later if len(text) <= LONGEST_REPLY and substance(text, persona)), "")


def _vouched_for(draft: Draft, said: Sequence[str]) -> bool:
    """Return whether each sentence was found supported when it was drafted, or was written by the agent.

    A sentence that the agent mended still vouches for nothing that was marked as unsupported and was left in it.
    """
    drafted = {_plain(one["text"]): bool(one["supported"]) for one in draft.sentences}
    if not drafted:
        drafted = dict.fromkeys(map(_plain, sentences(draft.text or "")), False)
    marked = draft.unsupported_facts
    for sentence in said:
        if any(fact in sentence for fact in marked) and any(
            similarity(sentence, one) >= REWRITTEN for one in drafted if any(_plain(fact) in one for fact in marked)
        ):
            return False
        if not drafted.get(_plain(sentence), True):
            return False
    return True


def _beginning(question: str) -> str:
    """Return the first of many messages."""
    longest = 4 * LONGEST_MESSAGE
    return question if len(question) <= longest else question[:longest].rpartition("\n\n")[0]


def _says_something(question: str) -> bool:
    """Return whether words are left beside the slots."""
    return any(sign.isalpha() for sign in gaps.without_slots(question))


def _is_known(session: Session, content: EntryContent) -> bool:
    """Return whether a past reply says the same to the same; also a retired one, which somebody did not want."""
    same = select(Entry.question).where(Entry.kind == "past_reply", Entry.answer == content.answer)
    return any(_plain(question) == _plain(content.question) for question in session.scalars(same))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


@lru_cache(maxsize=10_000)
def _redacted(question: str, reply: str, names: tuple[str, ...], known: frozenset[str]) -> tuple[str, str]:
    """Return both texts with slots for personal data; those of open gaps are asked for again and again."""
    asked, replied = redact_exchange(question, reply, names=names, known=known)
    return asked.text, replied.text
