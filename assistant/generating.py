"""What a language model writes → the body of a reply, or the reason why it is not used.

It knows the prompt, the check and the marks; which passages there are, and what happens without a body, is for
`drafting`.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from assistant import grounding, prompt
from assistant.case import Case
from assistant.reply import DraftSentence
from assistant.sentences import read_marks, readable, sentences
from knowledge.facts import facts
from knowledge.search import Match
from models import LanguageModel
from models.chat import Evidence

NEW_TOKENS = 180
ANSWERING = 0.8
"""The share of the best match's score that a passage must have for a reply from it alone to be an answer."""
COPIES = 1024
"""Tokens of context up to which a model is one like the shipped one: it copies, and what it does not copy are slips.
Larger ones rephrase, and are held to what they say alone."""
SLIP = 0.8
"""How alike (difflib's ratio) a marked sentence and a passage's own must be for their difference to be a slip."""

_APOLOGY = re.compile(r"\b(?:sorry|apolog\w+|pahoittel\w+|pahoilla\w+|anteeksi)\b", re.IGNORECASE)
_AGAIN = re.compile(
    r"\b(?:again|twice|still|uudestaan|uudelleen|kahdesti|taas|vieläkään|yhä|edelleen)\b", re.IGNORECASE
)
_FLATTERED = re.compile(r"\bkind words\b|\bmade our day\b|\bkauniista sanoi\w+|\bilahdut\w+", re.IGNORECASE)
_MENDING = re.compile(
    r"\b(?:put this right|fix this|make (?:this|it) (?:right|good)|patience|kuntoon|kärsivällisyy\w*|korjaamme)\b",
    re.IGNORECASE,
)
_LEAKED = re.compile(r"<\|?/?\w{1,20}\|?>|\bcustomer:|\bagent:")
_GREETING = re.compile(r"(?:hi|hello|hey|dear|hei|moi|hyvä)\b[\w\s'’-]{0,40}[,!.]?", re.IGNORECASE)
_SIGNATURE = re.compile(r"(?:\w+ )?(?:regards|wishes|terveisin|terveisiä)\b.{0,60}", re.IGNORECASE)


def attempt(case: Case, matches: Sequence[Match], model: LanguageModel) -> tuple[list[DraftSentence], str]:
    """Let the model write once; return the body and what is wrong with it, "" where nothing is.

    Its sentences cite `matches` by their places, from 1. Raises ModelError where the model cannot run.
    """
    asked = prompt.build(
        language=case.language,
        persona=case.persona,
        evidence=[as_evidence(match) for match in matches],
        history=case.request.history,
        message=case.message,
        model=model,
        max_new_tokens=NEW_TOKENS,
        public=case.is_public,
        instruction=case.request.instruction,
    )
    with case.timed("generate"):
        written = model.generate(asked.messages, max_new_tokens=NEW_TOKENS)
    with case.timed("check"):
        text = _unframed(readable(written.text, marks=True))
        if model.context_tokens <= COPIES:
            text = _set_right(text, asked.evidence)
        report = grounding.check(text, asked.evidence, customer=case.customer)
        marked = [bool(sentence.marks) for sentence in read_marks(text)]
        kept = _trimmed(case, list(zip(report.sentences, marked, strict=True)))
        body = [DraftSentence(s.text, s.supported, s.citations) for s in kept]
        fault = _fault(case, written.finished, written.text, body) or _stray(body, asked.evidence, matches, model)
        if kept and kept[0] is not report.sentences[0]:
            body = [*case.opening(), *body]
        if kept and kept[-1] is not report.sentences[-1]:
            body = [*body, *case.closing()]
        return body, fault


def _set_right(text: str, evidence: Sequence[Evidence]) -> str:
    """Put a passage's own sentence where a copying model slipped on a letter or a word, and say nothing twice.

    "5 EUon etukoodi" is "5 euron etukoodi" again. Anything else stays, for the check to judge.
    """
    own = [(one, n) for n, passage in enumerate(evidence, start=1) for one in sentences(passage.text)]
    told: dict[str, None] = {}
    for sentence in read_marks(text):
        line = " ".join([sentence.text, *(f"[{n}]" for n in sentence.marks)])
        if sentence.marks and own:
            alike, nearest, n = max((_likeness(one, sentence.text), one, n) for one, n in own)
            line = f"{nearest} [{n}]" if alike >= SLIP else line
        told[line] = None
    return " ".join(told)


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one.casefold(), other.casefold(), autojunk=False).ratio()


def _stray(
    body: Sequence[DraftSentence], evidence: Sequence[Evidence], matches: Sequence[Match], model: LanguageModel
) -> str:
    """Say how a supported body strays from what was asked or from the words of its passages; "" where it does not."""
    cited = {n for sentence in body for n in sentence.citations}
    if max(matches[n - 1].score for n in cited) < matches[0].score * ANSWERING:
        return "it answers another question"
    if model.context_tokens <= COPIES:
        for sentence in body:
            if sentence.citations and not grounding.is_copied(sentence.text, evidence):
                return f"miscopied: {sentence.text!r}"
    return ""


def _fault(case: Case, finished: bool, raw: str, body: Sequence[DraftSentence]) -> str:
    """Say in a few words why a body cannot be sent; "" where it can."""
    text = " ".join(sentence.text for sentence in body)
    if not body or not text.strip():
        return "empty"
    if not finished:
        return "unfinished"
    if _LEAKED.search(raw):
        return "control tokens"
    if len({sentence.text for sentence in body}) < len(body):
        return "a sentence twice"
    if case.identifier.identify(text) not in (case.language, None):
        return "the wrong language"
    if wrong := [sentence.text for sentence in body if not sentence.supported]:
        return f"unsupported: {wrong[0]!r}"
    if not any(sentence.citations for sentence in body):
        return "nothing from the passages"
    if case.is_public and case.personal_data() & {fact.value for fact in facts(text)}:
        return "personal data in public"
    return ""


def _trimmed(case: Case, checked: list[tuple[grounding.CheckedSentence, bool]]) -> list[grounding.CheckedSentence]:
    """Leave out the first and the last sentence where they are neither supported nor tied to a passage.

    Those are where the model speaks to the customer; what does not fit the mood goes as well. A sentence
    with a passage or a fact stays: if it is wrong, so may be the rest.
    """
    kept = list(checked)
    for place in (0, -1):
        if len(kept) > 1:
            sentence, marked = kept[place]
            loose = not marked and not sentence.citations and not facts(sentence.text)
            if loose and not (sentence.supported and _fits(case, sentence.text)):
                kept.pop(place)
    return [sentence for sentence, _ in kept]


def _fits(case: Case, courtesy: str) -> bool:
    """Return whether an opening or a closing fits the mood.

    Nobody apologises to a mere question, for what happens for the first time, or mends what is not broken; and nobody
    gives thanks for praise to somebody who has a complaint.
    """
    if case.mood in ("question", "praise") and (_APOLOGY.search(courtesy) or _MENDING.search(courtesy)):
        return False
    if case.mood not in ("praise", "thanks") and _FLATTERED.search(courtesy):
        return False
    return not _AGAIN.search(courtesy) or bool(case.request.history) or "again" in case.signs


def _unframed(text: str) -> str:
    """Leave out a greeting and a signature, which the frame brings: larger models write them whatever they are told."""
    lines = sentences(text)
    while lines and _GREETING.fullmatch(lines[0]):
        lines.pop(0)
    for place, line in enumerate(lines):
        if _SIGNATURE.fullmatch(line):
            return "\n".join(lines[:place])
    return "\n".join(lines)


def as_evidence(match: Match) -> Evidence:
    """Return what may be quoted: a short answer whole, of a long one the passage that matched."""
    return Evidence(match.question, match.answer if len(match.answer) <= 700 else match.passage)
