"""Two customers: nothing by which the first could be known reaches the index, a match or a draft for the second."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.drafting import draft_reply
from assistant.reply import DraftReply, DraftRequest
from assistant.runtime import Runtime
from knowledge import entries, snapshots
from knowledge.entries import EntryContent
from knowledge.indexing import update_index
from models.fakes import FakeLanguageModel
from tests.stages import opened

DATA = {
    "name": ("Kaarlo Vesterinen", "Vesterinen", "Vesteriselle", "Kaarlon", "Thessaly Brightwater", "Brightwater"),
    "email": ("kaarlo.v@posti.example", "thessaly@mail.example"),
    "phone": ("040 555 0187", "+44 7700 900999"),
    "personal_id": ("131052-308T", "010203A123B"),
    "iban": ("FI21 1234 5600 0007 85", "GB29 NWBK 6016 1331 9268 19"),
    "card": ("4111 1111 1111 1111", "5500 0000 0000 0004"),
    "address": ("Koivurannantie 17 B 4", "48 Queens Road"),
    "order_number": ("UP-77341", "UP-88412"),
    "booking_number": ("H-66120", "K7Q2ZP"),
    "customer_number": ("3040918", "C-100482"),
    "invoice_number": ("2026-0777", "INV-88123"),
    "reference_number": ("1234 5678 9012", "CS-20931"),
    "tracking_number": ("JJFI64321000001234567", "1Z999AA10123456784"),
    "ip": ("84.250.17.33", "203.0.113.77"),
    "plate": ("KLM-904", "ABX-482"),
    "birth_date": ("12.3.1985", "7 March 1981"),
    "handle": ("@kaarlonkahvit", "@thessalybrews"),
    "url": ("https://kauppa.example/tilaus?token=a8f3c2e19b", "https://shop.example/reset?key=9f8e7d6c5b"),
}

FINNISH = (
    (
        "Moi, missä pakettini viipyy? Tilausnumero {order}. Olen Kaarlo Vesterinen (s. 12.3.1985), hetu 131052-308T, "
        "puh. 040 555 0187, sähköposti kaarlo.v@posti.example. Asun Koivurannantie 17 B 4. "
        "Kortti 4111 1111 1111 1111, "
        "tili FI21 1234 5600 0007 85. Auto KLM-904, instassa @kaarlonkahvit, ip 84.250.17.33. "
        "Linkki https://kauppa.example/tilaus?token=a8f3c2e19b ei aukea. T. Kaarlo"
    ),
    (
        "Hei Kaarlo! Paketti viipyy kuljetusyhtiön vuoksi noin viikon. Tilaus {order} on matkalla Vesteriselle. "
        "Seurantakoodi on JJFI64321000001234567 ja varausnumero H-66120. Laskun numero on 2026-0777, viitenumero "
        "1234 5678 9012 ja asiakasnumero 3040918. Soitan Kaarlon numeroon 040 555 0187. Pahoittelut, "
        "Kaarlo!\n\nTerveisin\nHelmi"
    ),
)
ENGLISH = (
    (
        "Hi, where is my parcel? Order {order}. I am Thessaly Brightwater, born on 7 March 1981, identity "
        "code 010203A123B. "
        "Call +44 7700 900999 or write to thessaly@mail.example. I live at 48 Queens Road. My card is 5500 "
        "0000 0000 0004, "
        "account GB29 NWBK 6016 1331 9268 19. Plate ABX-482, I am @thessalybrews, my IP is 203.0.113.77. "
        "The link https://shop.example/reset?key=9f8e7d6c5b fails. Regards, Thessaly Brightwater"
    ),
    (
        "Dear Thessaly, your parcel is late because of the carrier, about a week. Order {order} left for "
        "Brightwater. "
        "The tracking code is 1Z999AA10123456784 and the booking reference K7Q2ZP. Invoice INV-88123, case "
        "number CS-20931, "
        "customer number C-100482. I'll call +44 7700 900999. Sorry again, Thessaly!\n\nKind regards\nOnni"
    ),
)


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with opened(database_url, tmp_path) as runtime:
        contents = [
            EntryContent(
                kind="past_reply",
                external_id=f"reply-{language}",
                question=question.format(order=order),
                answer=answer.format(order=order),
            )
            for (question, answer), language, order in ((FINNISH, "fi", "UP-77341"), (ENGLISH, "en", "UP-88412"))
        ]
        hours = EntryContent(kind="faq", external_id="hours", question="When do you open?", answer="At 9 every day.")
        with runtime.sessions.begin() as session:
            entries.put_many(session, [*contents, hours], author="test")
        update_index(runtime.engine, runtime.index_dir, runtime.embedder())
        yield runtime


def traces(text: str) -> list[str]:
    """Return which of the first customers' data a text holds, however it is spaced and written."""
    plain = re.sub(r"[\s-]", "", text).casefold()
    return [datum for data in DATA.values() for datum in data if re.sub(r"[\s-]", "", datum).casefold() in plain]


def test_the_scene_holds_every_type() -> None:
    told = "\n".join(
        part.format(order=order) for pair, order in ((FINNISH, "UP-77341"), (ENGLISH, "UP-88412")) for part in pair
    )
    assert traces(told) == [datum for data in DATA.values() for datum in data]


def test_nothing_of_them_is_in_the_index(runtime: Runtime) -> None:
    """Neither in any file of the index, nor in what a process reads from it."""
    files = [path for path in runtime.index_dir.rglob("*") if path.is_file()]
    assert {"entries.json", "manifest.json"} <= {path.name for path in files}
    held = b"\n".join(path.read_bytes() for path in files)
    assert traces(held.decode("latin-1")) == []
    assert traces(held.decode("utf-8", errors="ignore")) == []
    for stem in (b"vesteri", b"brightwat", b"thessal", b"kaarl"):
        assert stem not in held.lower()
    name = snapshots.current_name(runtime.index_dir)
    assert name is not None
    base = runtime.knowledge_base()
    for entry in base.index.entries.values():
        shown = json.dumps([sorted(entry.names), [part.passage for part in entry.passages]], ensure_ascii=False)
        assert traces(shown) == []
    slots = {
        slot for e in base.index.entries.values() for part in e.passages for slot in re.findall(r"\{(\w+)\}", str(part))
    }
    assert {"order_number", "tracking_number", "phone"} <= slots


QUESTIONS = [
    *("Moi, missä pakettini viipyy? Tilausnumero UP-10001.", "Mikä on Kaarlo Vesterisen puhelinnumero?"),
    *("Hi, where is my parcel? Order UP-10002.", "What is Thessaly Brightwater's card and address?"),
    "Pakettini viipyy, tilaus, seurantakoodi, varausnumero, lasku, viitenumero, asiakasnumero?",
    "parcel late carrier order tracking code booking reference invoice case number customer number?",
]


def test_nothing_of_them_reaches_another(runtime: Runtime) -> None:
    for question, visibility, with_model in itertools.product(QUESTIONS, ("private", "public"), (True, False)):
        result = runtime.knowledge_base().search(question)
        for match in result.matches:
            assert traces(f"{match.question} {match.answer} {match.passage}") == []
        draft = drafted(runtime, question, visibility, with_model)
        assert traces(json.dumps(draft.document(), ensure_ascii=False)) == []
        assert not re.search(r"\{\w*\}", draft.text)


def test_the_second_customer_gets_the_wording_with_their_own_number(runtime: Runtime) -> None:
    """What the first one's reply said is used again: with the second one's order number and without the rest."""
    found = {
        m.external_id: m for m in runtime.knowledge_base().search("Hi, where is my parcel? Order UP-10002.").matches
    }
    assert "reply-en" in found
    assert "Order {order_number} left for {name}." in found["reply-en"].answer
    assert "your parcel is late because of the carrier, about a week." in found["reply-en"].answer


def drafted(runtime: Runtime, question: str, visibility: str, with_model: bool) -> DraftReply:
    request = DraftRequest(
        question, customer_name="Eve Stone", visibility="public" if visibility == "public" else "private"
    )
    return draft_reply(
        request,
        knowledge_base=runtime.knowledge_base(),
        language_model=FakeLanguageModel() if with_model else None,
        identifier=runtime.identifier(),
        persona=runtime.persona(),
    )
