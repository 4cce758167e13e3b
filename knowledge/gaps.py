"""What customers ask and nothing answers: the questions that it is given, grouped by matter.

Questions whose vectors are near on average are one matter (agglomerative clustering, average linkage). Measured on
public labelled questions, 125 to 185 at a time in matters of 1 to 30: pairwise F .75, where HDBSCAN, which looks for
dense regions, reached .35 at its best: matters of two questions have no density.

Knows questions and the replies that people wrote to them, no conversation. Its callers take personal data out first.
"""

import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Literal

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sqlalchemy import select
from sqlalchemy.orm import Session

from knowledge.passages import sentences
from knowledge.search import Match, SearchResult
from knowledge.tables import Entry, Revision
from models import Embedder, Language, Vectors

Reason = Literal["abstained", "rejected", "rewritten"]

MOST = 5_000
"""Questions that are grouped at once, the newest; the time grows with the square (5,000 take some five seconds)."""
WORDINGS = 20
"""Wordings of a matter that are shown, and offered as alternatives."""
LONGEST = 500
"""Characters of a question that are looked at and shown: a letter says at its beginning what it is about."""

_REMEMBERED = 10_000  # vectors, 15 MB at 384 dimensions
_SLOT = re.compile(r"\{\w+\}")


@dataclass(frozen=True)
class Asked:
    """A question that was not answered well, and what a human wrote in the end; nobody's personal data is in either."""

    text: str
    asked_at: datetime
    reason: Reason
    language: Language | None = None
    reply: str = ""
    reply_language: Language | None = None


@dataclass(frozen=True)
class GapReply:
    """What agents replied, and to how many of the questions."""

    text: str
    language: Language | None
    count: int


@dataclass(frozen=True)
class Gap:
    """A matter that nothing answers, called by its most central question.

    `count` is how many times it was asked, `questions` the different wordings (most central first), `languages` and
    `reasons` say how often each, `replies` come most frequent first. `tags` are those of what lies nearest.
    """

    question: str
    count: int
    languages: dict[str, int]
    reasons: dict[str, int]
    questions: tuple[str, ...]
    replies: tuple[GapReply, ...]
    first_at: datetime
    last_at: datetime
    language: Language | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """A FAQ entry as a human may begin it: to be read, put right and saved by one, never by the program.

    The fields are an entry's; `answer` is empty where nobody has replied yet.
    """

    external_id: str
    question: str
    answer: str
    language: Language | None
    alternatives: tuple[str, ...]
    tags: tuple[str, ...]
    kind: Literal["faq"] = "faq"


def find_gaps(asked: Sequence[Asked], embedder: Embedder) -> list[Gap]:
    """Group questions by matter: the most asked first, then the newest; a question alone is a gap of one.

    Of more than 5,000 only the newest are looked at. The same questions always give the same gaps.
    """
    newest = sorted((one for one in asked if one.text.strip()), key=_recent, reverse=True)[:MOST]
    by_wording: dict[str, list[Asked]] = {}
    for one in sorted(newest, key=_recent):
        by_wording.setdefault(_key(one.text), []).append(one)
    if not by_wording:
        return []
    wordings = sorted(by_wording)
    vectors = _embedded([_shown(by_wording[wording][-1].text) for wording in wordings], embedder)
    gaps = []
    for places in _clusters(vectors, _limit(embedder)):
        groups = [by_wording[wordings[place]] for place in places]
        gaps.append(_gap([groups[n] for n in _by_centrality(vectors[places], list(map(len, groups)))]))
    return sorted(gaps, key=lambda gap: (-gap.count, -gap.last_at.timestamp(), gap.question))


def unanswered(
    session: Session, gaps: Iterable[Gap], search: Callable[[str], SearchResult], *, limit: int = 100
) -> Iterator[Gap]:
    """Leave out what the FAQ answers by now, with an entry that was written since; stop after `limit` gaps.

    An entry that was there already when they asked has not helped them: the gap stays. It stays also where past replies
    answer: they are what agents wrote to fill it, and wait to be made an entry. Guesses the gaps' tags.
    """
    found = 0
    for gap in gaps:
        if found >= limit:
            return
        result = search(gap.question)
        entries = _entries(session, [match.entry_id for match in result.matches])
        if result.answerable and any(_is_newer(session, match, gap) for match in _answers(result)):
            continue
        found += 1
        yield replace(gap, tags=_tags([entries[m.entry_id] for m in result.matches if m.entry_id in entries]))


def entry_from_gap(gap: Gap) -> Proposal:
    """Propose a FAQ entry: the central question, the reply that agents wrote most often, the other wordings.

    What redaction put in the place of personal data is left out: of a question the slot, of a reply the sentence.
    """
    question = without_slots(gap.question)
    others = dict.fromkeys(text for text in map(without_slots, gap.questions) if text and text != question)
    native = [reply for reply in gap.replies if reply.language in (gap.language, None)]
    general = [text for reply in (*native, *gap.replies) if (text := _general(reply.text))]
    return Proposal(
        external_id=f"gap-{blake2b(_key(gap.question).encode(), digest_size=5).hexdigest()}",
        question=question or gap.question,
        answer=general[0] if general else "",
        language=gap.language,
        alternatives=tuple(others)[:WORDINGS],
        tags=gap.tags,
    )


def without_slots(text: str) -> str:
    """Return a text without the slots of redaction: "Where is {order_number}?" is "Where is?"."""
    return re.sub(r"\s+([.,!?;:])", r"\1", " ".join(_SLOT.sub(" ", text).split()))


def _general(reply: str) -> str:
    """Return the sentences that hold for everybody."""
    return " ".join(sentence for sentence in sentences(reply) if not _SLOT.search(sentence))


def _recent(one: Asked) -> tuple[datetime, str]:
    return one.asked_at, one.text


def _key(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold())) or text


def _shown(text: str) -> str:
    """Return the beginning of a text, white space folded, cut between words."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST].rpartition(' ')[0] or line[:LONGEST]} …"


def _clusters(vectors: Vectors, limit: float) -> list[list[int]]:
    """Return the places of the vectors, those of one matter together: their mean cosine is at least `limit`."""
    if len(vectors) == 1:
        return [[0]]
    apart = np.clip(1 - vectors @ vectors.T, 0, 2)
    np.fill_diagonal(apart, 0)
    labels = fcluster(linkage(squareform(apart, checks=False), "average"), 1 - limit, "distance")
    places: dict[int, list[int]] = {}
    for place, label in enumerate(labels.tolist()):
        places.setdefault(label, []).append(place)
    return list(places.values())


def _by_centrality(vectors: Vectors, counts: Sequence[int]) -> list[int]:
    """Return the places of wordings, nearest to the middle of all questions (each as often as it was asked) first."""
    nearness = vectors @ (np.asarray(counts, np.float32) @ vectors)
    return sorted(range(len(vectors)), key=lambda n: (-round(float(nearness[n]), 5), n))


def _gap(groups: Sequence[Sequence[Asked]]) -> Gap:
    """Sum up the questions of a matter; one group for each wording, the most central first, each oldest first."""
    every = sorted((one for group in groups for one in group), key=_recent)
    newest = [group[-1] for group in groups]
    replies: dict[str, list[Asked]] = {}
    for one in every:
        if one.reply.strip():
            replies.setdefault(_key(one.reply), []).append(one)
    ordered = sorted(replies.values(), key=lambda same: (-len(same), -same[-1].asked_at.timestamp(), same[-1].reply))
    return Gap(
        question=_shown(newest[0].text),
        count=len(every),
        languages=dict(Counter(one.language for one in every if one.language).most_common()),
        reasons=dict(Counter(one.reason for one in every).most_common()),
        questions=tuple(_shown(one.text) for one in newest[:WORDINGS]),
        replies=tuple(GapReply(same[-1].reply, same[-1].reply_language, len(same)) for same in ordered),
        first_at=every[0].asked_at,
        last_at=every[-1].asked_at,
        language=newest[0].language,
    )


def _entries(session: Session, ids: Sequence[int]) -> dict[int, Entry]:
    return {entry.id: entry for entry in session.scalars(select(Entry).where(Entry.id.in_(ids)))} if ids else {}


def _answers(result: SearchResult) -> list[Match]:
    """Return the FAQ entries that are at least half as likely to answer as the best match, as drafting takes them."""
    best = max((match.score for match in result.matches), default=0.0)
    return [match for match in result.matches if match.kind == "faq" and match.score * 2 >= best]


def _is_newer(session: Session, match: Match, gap: Gap) -> bool:
    """Return whether the entry has said what it says only since the last of the questions."""
    written = session.scalar(
        select(Revision.created_at)
        .join(Entry, (Entry.id == Revision.entry_id) & (Entry.revision == Revision.number))
        .where(Entry.id == match.entry_id)
    )
    return written is not None and written > gap.last_at


def _tags(nearest: Sequence[Entry]) -> tuple[str, ...]:
    """Return the tags that at least half of the nearest FAQ entries share."""
    faq = [entry for entry in nearest if entry.kind == "faq"]
    counts = Counter(tag for entry in faq for tag in dict.fromkeys(entry.tags))
    return tuple(tag for tag, count in counts.most_common() if count * 2 >= len(faq))[:5]


# Pairs of questions that say the same, each of another matter: what is near and what is far for an embedder.
_SAME = (
    ("How long does delivery take?", "When will my parcel arrive after I order?"),
    ("Can I pay with an invoice?", "Is it possible to get a bill instead of paying by card?"),
    ("Where is your nearest shop?", "What is the address of the store closest to me?"),
    ("I forgot my password.", "I can't remember my password and cannot sign in."),
    ("Do you sell gift cards?", "Can I buy a gift card from you?"),
    ("How do I cancel my subscription?", "I want to stop my monthly subscription."),
    ("Kuinka kauan toimitus kestää?", "Milloin pakettini saapuu tilauksen jälkeen?"),
    ("Voinko maksaa laskulla?", "Onko mahdollista saada lasku korttimaksun sijaan?"),
    ("Missä on lähin myymälänne?", "Mikä on lähimmän kauppanne osoite?"),
    ("Unohdin salasanani.", "En muista salasanaa enkä pääse kirjautumaan."),
    ("Myyttekö lahjakortteja?", "Voiko teiltä ostaa lahjakortin?"),
    ("Miten perun tilauksen?", "Haluan lopettaa kuukausitilaukseni."),
)


def _limit(embedder: Embedder) -> float:
    """Return the cosine from which questions are one matter: halfway from unlike pairs to pairs that say the same.

    So it holds for any embedder. For MiniLM and the shipped one it is .45; from .40 to .55 the F above hardly moves.
    """
    first = _embedded([one for one, _ in _SAME], embedder)
    second = _embedded([other for _, other in _SAME], embedder)
    cosines = (first @ second.T).astype(np.float64)
    half = len(_SAME) // 2  # within a language: across the two, a pair of one matter stands among the unlike ones
    unlike = [
        cosines[a, b] for a in range(len(_SAME)) for b in range(len(_SAME)) if a != b and (a < half) == (b < half)
    ]
    return float((np.diag(cosines).mean() + np.mean(unlike)) / 2)


_vectors: OrderedDict[tuple[str, bytes], Vectors] = OrderedDict()
_vectors_lock = threading.Lock()


def _embedded(texts: Sequence[str], embedder: Embedder) -> Vectors:
    """Return the texts' vectors; those of earlier calls in this process are remembered by the hash of the text."""
    keys = [(embedder.name, blake2b(text.encode(errors="replace"), digest_size=16).digest()) for text in texts]
    with _vectors_lock:
        known = {key: _vectors[key] for key in keys if key in _vectors}
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        known.update(zip(missing, embedder.embed(list(missing.values()), role="question"), strict=True))
    with _vectors_lock:
        _vectors.update((key, known[key]) for key in keys)
        for key in keys:
            _vectors.move_to_end(key)
        while len(_vectors) > _REMEMBERED:
            _vectors.popitem(last=False)
    return np.stack([known[key] for key in keys])
