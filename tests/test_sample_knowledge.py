"""The knowledge of the demo's invented shop: both languages must tell a customer the same thing."""

import calendar
import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).parents[1] / "knowledge" / "sample"
LANGUAGES = ("en", "fi")
MONTHS = {name: number for number, name in enumerate(calendar.month_name) if name}
PHONE = re.compile(r"\+358(?: \d+)+")
ADDRESS = re.compile(r"https://[\w./-]+\w|[\w.]+@[\w.]+\w")
CODE = re.compile(r"\b[A-Z]+(?:-[A-Z]+)*-?\d+\b")
PRICE = re.compile(r"€(\d+(?:\.\d\d)?)|(\d+(?:,\d\d)?) (?:€|euro)")


def rows(name: str) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file of the sample."""
    return [json.loads(line) for line in (SAMPLE / name).read_text("utf-8").splitlines()]


def faq(language: str) -> dict[str, dict[str, Any]]:
    """Topic → entry."""
    return {entry["id"].removesuffix(f"-{language}"): entry for entry in rows(f"faq_{language}.jsonl")}


def facts(text: str, language: str) -> Counter[str]:
    """Phones, addresses, codes and numbers, written alike in both languages (4 pm = klo 16, 9,90 = 9.90)."""
    found: list[str] = []
    for pattern in (PHONE, ADDRESS, CODE):
        found += pattern.findall(text)
        text = pattern.sub(" ", text)
    if language == "en":
        text = re.sub(r"(\d+)((?::\d\d)?) pm", lambda m: f"{int(m[1]) % 12 + 12}{m[2]}", text)
        text = re.sub(r"(\d+) (" + "|".join(MONTHS) + r")\b", lambda m: f"{m[1]} / {MONTHS[m[2]]}", text)
        text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    else:
        text = re.sub(r"klo (\d+)\.(\d\d)\b", r"\1:\2", text)
        text = re.sub(r"(?<=\b\d) (?=\d{3}\b)", "", text)
        text = re.sub(r"(?<=\d)\.(?=\d)", " / ", text)
        text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    found += re.findall(r"\d+(?:\.\d+)?", text)
    return Counter(found)


def prices(text: str) -> set[float]:
    return {float((english or finnish).replace(",", ".")) for english, finnish in PRICE.findall(text)}


def sentences(text: str) -> list[str]:
    # "24.12. klo 18" must not end a sentence: one ends where a capital or nothing follows.
    return re.split(r"(?<=[.!?]) (?=[A-ZÅÄÖ])", text)


def phrases(text: str, length: int = 5) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def test_it_works() -> None:
    english, finnish = faq("en"), faq("fi")
    assert len(english) >= 60
    assert english.keys() == finnish.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_entries_are_complete(language: str) -> None:
    assert len({entry["id"] for entry in rows(f"faq_{language}.jsonl")}) == len(rows(f"faq_{language}.jsonl"))
    for topic, entry in faq(language).items():
        assert entry["language"] == language
        assert entry["url"] == f"https://usvapuro.example/{'help' if language == 'en' else 'ohje'}/{topic}"
        assert entry["question"].endswith("?"), topic
        assert 1 <= len(sentences(entry["answer"])) <= 4, topic
        assert entry["tags"], topic


@pytest.mark.parametrize("topic", sorted(faq("en")))
def test_both_languages_state_the_same_facts(topic: str) -> None:
    assert facts(faq("en")[topic]["answer"], "en") == facts(faq("fi")[topic]["answer"], "fi")


def test_notation_is_not_a_difference_and_a_wrong_price_is() -> None:
    english = facts("€9.90 from 12:30 pm to 4 pm until 24 December, 1,200 pieces, +358 3 555 0142 on weekdays", "en")
    assert english == facts("9,90 € klo 12.30–16 24.12. asti, 1 200 kappaletta, +358 3 555 0142 arkisin", "fi")
    assert english != facts("9,80 € klo 12.30–16 24.12. asti, 1 200 kappaletta, +358 3 555 0142 arkisin", "fi")


def test_past_replies_belong_to_topics_and_quote_true_prices() -> None:
    replies = rows("past_replies.jsonl")
    assert len({reply["id"] for reply in replies}) == len(replies) >= 64
    assert Counter(reply["language"] for reply in replies) == dict.fromkeys(LANGUAGES, len(replies) // 2)
    for reply in replies:
        language = reply["language"]
        match = re.fullmatch(rf"reply-([a-z-]+)-{language}-\d+", reply["id"])
        assert match, reply["id"]
        answer = faq(language)[match[1]]["answer"]
        assert prices(reply["reply"]) <= prices(answer), reply["id"]
        assert reply["customer"].strip(), reply["id"]
        assert reply["channel"] in {"messenger", "instagram", "email", "x"}
        sent = datetime.fromisoformat(reply["sent_at"])
        assert sent.year == 2026
        assert sent.tzinfo is not None
        assert sent.weekday() < 5, reply["id"]
        assert 9 <= sent.hour < 16, reply["id"]


def test_demo_messages_use_words_of_their_own() -> None:
    messages = rows("messages.jsonl")
    assert len({message["external_id"] for message in messages}) == len(messages) == 14
    entries = [*faq("en").values(), *faq("fi").values()]
    known = {phrase for entry in entries for field in ("question", "answer") for phrase in phrases(entry[field])}
    for message in messages:
        assert message["visibility"] in {"private", "public"}
        assert message["customer"]["id"]
        assert message["customer"]["name"]
        assert not phrases(message["text"]) & known, message["external_id"]
