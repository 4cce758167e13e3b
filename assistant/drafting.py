"""A customer's message → a draft reply: the route, read top to bottom.

language and mood → the knowledge base → weak evidence: hold → prompt → language model → grounding check → once more
with the best passage alone → the best passages' own sentences. A passage in the other language is quoted as it is, and
the draft says so. Knows no database, no channel and no agent.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from assistant import prompt, slots
from assistant.case import Case
from assistant.generating import COPIES, as_evidence, attempt
from assistant.persona import Persona
from assistant.reply import DraftCitation, DraftReply, DraftRequest, DraftSentence, Guidance, Origin, framed
from assistant.sentences import readable, sentences, shorten
from assistant.words import content_words, is_known
from knowledge.search import Match, SearchResult
from models import Language, LanguageIdentifier, LanguageModel, ModelError

log = logging.getLogger(__name__)

PASSAGES = 3
"""Passages that a model is given: what the shipped one was trained on."""
EXTRACTED = 3
"""Sentences of a passage that an extract gives at most; two of each where there are several."""
RIVAL = 0.5
"""The share of the best match's score from which another passage, in the language of the reply, is used."""

_EXTRACT_WORTH = 0.8  # an extract needs more editing than the model's own words, so it is offered with less confidence

_Body = tuple[Origin, Sequence[Match], list[DraftSentence]]
"""Where a body comes from, and the matches that its sentences cite by their places, from 1."""


class Search(Protocol):
    """The part of a KnowledgeBase that drafting uses."""

    def search(
        self,
        question: str,
        *,
        k: int = 5,
        language: Language | None = None,
        channel: str | None = None,
        history: Sequence[str] = (),
    ) -> SearchResult:
        """Return the best matches and whether they answer."""


def draft_reply(
    request: DraftRequest,
    *,
    knowledge_base: Search,
    language_model: LanguageModel | None,
    identifier: LanguageIdentifier,
    persona: Persona,
) -> DraftReply:
    """Write a draft; never raises for what a customer wrote or a model answered.

    `language_model` is None where none can be loaded: drafts are then extracts.
    """
    case = Case.read(request, identifier, persona)
    with case.timed("total"):
        draft = _draft(case, knowledge_base, language_model)
    return replace(draft, timings_ms=case.timings)


def _draft(case: Case, knowledge_base: Search, model: LanguageModel | None) -> DraftReply:
    if phrases := case.phrases_alone():
        # Only what somebody may mean by no words at all needs a human to look at it.
        draft = _framed(case, phrases)
        return replace(draft, status="abstained") if case.is_unclear else replace(draft, confidence=1.0)
    with case.timed("search"):
        result = _search(knowledge_base, case)
    guidance = tuple(Guidance(m.entry_id, m.question, _excerpt(m)) for m in result.guidance)
    if not result.needs_passage:
        return replace(_framed(case, case.courtesy()), confidence=1.0, snapshot=result.snapshot, guidance=guidance)
    matches = slots.fitted(usable(result, case.language), slots.details(case.request))
    written = _written(case, result, matches, model) if result.answerable and matches else None
    if written is None:
        held = _framed(case, case.holding())
        return replace(held, status="abstained", snapshot=result.snapshot, guidance=guidance)
    origin, used, body = written
    return replace(
        _framed(case, [*body, *case.invitation(body)], used),
        guidance=guidance,
        origin=origin,
        model=model.name if model and "check" in case.timings else None,  # one that failed has written nothing to check
        confidence=round(min(max(result.confidence, 0.0), 1.0) * (_EXTRACT_WORTH if origin == "extract" else 1.0), 3),
        snapshot=result.snapshot,
    )


def usable(result: SearchResult, language: Language) -> list[Match]:
    """Return the passages to reply from, best first: those in the language of the reply, if they are nearly as good.

    What agents once replied to others is used only where no FAQ entry answers, since it was said of another's case;
    what contradicts the FAQ by now, never. Of a message with several questions the best passage for each comes first.
    """
    may = [match for match in result.matches if not match.demoted]
    best = max((match.score for match in may), default=0.0)
    good = [match for match in may if match.score >= best * RIVAL]
    faq = [match for match in good if match.kind == "faq"]
    native = [match for match in faq or good if match.language in (language, None)]
    chosen = native or faq or good
    firsts = [match for match in may if match.best_for] if len(result.questions) > 1 else []
    if faq:  # else "have a lovely time with your parents" went from one customer's reply into another's
        firsts = [match for match in firsts if match.kind == "faq"]
    return [*firsts, *(match for match in chosen if match not in firsts)][:PASSAGES]


def _search(knowledge_base: Search, case: Case) -> SearchResult:
    """Search for the message; "And to Sweden?" alone finds nothing, so with what the customer asked before."""
    search = partial(
        knowledge_base.search,
        k=2 * PASSAGES + 2,
        channel=case.request.channel,
        history=[shorten(readable(turn.text), prompt.LONGEST // 2) for turn in case.request.history],
    )
    result = search(shorten(case.message, prompt.LONGEST))
    before = [readable(turn.text) for turn in case.request.history if turn.role == "customer"]
    if result.answerable or not result.needs_passage or not before:
        return result
    wider = search(f"{shorten(before[-1], prompt.LONGEST // 2)}\n{shorten(case.message, prompt.LONGEST // 2)}")
    return wider if wider.answerable else result


def _written(case: Case, result: SearchResult, matches: Sequence[Match], model: LanguageModel | None) -> _Body | None:
    """Return a body from the matches: of one question by the model, else the passages' own sentences."""
    firsts = [match for match in matches if match.best_for] if len(result.questions) > 1 else []
    if matches[0].language not in (case.language, None):
        return _quoted(case, matches[0])  # the check compares words, so no translation could pass it
    several = len(firsts) > 1
    if several and model is not None and model.context_tokens <= COPIES:
        return _extract(case, firsts)  # it seldom picks from several passages, and one alone answers half
    return _by_model(case, matches, model) or _extract(case, firsts if several else matches[:1])


def _by_model(case: Case, matches: Sequence[Match], model: LanguageModel | None) -> _Body | None:
    """Return what the model wrote where it passes the check, asked at most twice."""
    if model is None:
        log.warning("There is no language model: the draft is an extract.")
        return None
    # Greedy decoding writes the same again; with the best passage alone it cannot mix two up. A small model does, so it
    # begins there: measured, it copies 94 % of single passages without error and seldom the right one of several.
    tries = [matches, matches[:1]] if len(matches) > 1 else [matches]
    for chosen in reversed(tries) if model.context_tokens <= COPIES else tries:
        try:
            body, fault = attempt(case, chosen, model)
        except ModelError as error:
            log.warning("The language model failed, the draft is an extract: %s", error)
            return None
        if not fault:
            return "model", chosen, body
        log.info("The model's text is not used: %s", fault)
    return None


def _extract(case: Case, matches: Sequence[Match]) -> _Body | None:
    """Return the passages' own sentences in the persona's words; None where all are in another language."""
    native = [match for match in matches if match.language in (case.language, None)]
    told = [
        DraftSentence(sentence, True, (place,))
        for place, match in enumerate(native, start=1)
        for sentence in _telling(case, match, EXTRACTED if len(native) == 1 else EXTRACTED - 1)
    ]
    return ("extract", native, [*case.opening(), *told, *case.closing()]) if told else None


def _quoted(case: Case, match: Match) -> _Body | None:
    """Return a passage's sentences as they are, after a sentence that says that they are in the other language."""
    told = [DraftSentence(sentence, True, (1,)) for sentence in _telling(case, match, EXTRACTED)]
    lead = case.say(case.persona.foreign(case.language))
    return ("extract", [match], [*case.opening(), *lead, *told, *case.closing()]) if told else None


def _telling(case: Case, match: Match, count: int) -> list[str]:
    """Return the sentences of a passage that speak of what was asked, in the order in which they were written."""
    told = sentences(readable(as_evidence(match).text))
    asked = frozenset(content_words(shorten(case.message, prompt.LONGEST)))
    said = [sum(is_known(word, asked) for word in set(content_words(sentence))) for sentence in told]
    chosen = sorted(sorted(range(len(told)), key=lambda place: (-said[place], place))[:count])
    return list(dict.fromkeys(told[place] for place in chosen))


def _framed(case: Case, body: Sequence[DraftSentence], matches: Sequence[Match] = ()) -> DraftReply:
    """Frame a body, as a template's at first, and number the passages that it cites in the order of their use."""
    used = list(dict.fromkeys(n for sentence in body for n in sentence.citations))
    numbered = [replace(s, citations=tuple(used.index(n) + 1 for n in s.citations)) for s in body]
    name = None if case.is_public else case.request.customer_name
    text, every = framed(numbered, persona=case.persona, language=case.language, name=name)
    return DraftReply(
        status="ready",
        origin="template",
        language=case.language,
        text=text,
        sentences=every,
        unsupported_facts=(),
        citations=tuple(_citation(n, matches[place - 1]) for n, place in enumerate(used, start=1)),
        confidence=None,
        model=None,
        snapshot="",
        prompt_version=prompt.PROMPT_VERSION,
    )


def _citation(n: int, match: Match) -> DraftCitation:
    return DraftCitation(
        n, match.entry_id, match.external_id, match.question, _excerpt(match), match.url, match.revision, match.language
    )


def _excerpt(match: Match) -> str:
    return shorten(readable(as_evidence(match).text), 1000)
