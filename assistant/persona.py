"""The brand's voice: its names and its fixed phrases in each language, from one TOML file per brand.

It knows how a reply is framed and which phrase of several is used; it knows nothing of evidence or models. A phrase
asserts no fact of the business: what it says must be true whatever was asked.
"""

import re
import tomllib
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from assistant.errors import Invalid
from assistant.sentences import readable, strip_marks
from models import Language

Mood = Literal["question", "complaint", "angry", "praise", "thanks", "confusion"]

BUILTIN = Path(__file__).parent / "personas" / "default.toml"

_FOREIGN: dict[Language, tuple[str, ...]] = {
    "en": ("We have this only in Finnish:",),
    "fi": ("Meillä on tästä tietoa vain englanniksi:",),
}
_SLOT = re.compile(r"\{(\w*)\}")
_NAME = re.compile(r"[^\W\d_]+(?:[ '’.-]{1,2}[^\W\d_]+)*\.?")
_NAME_LENGTH = 40


def _phrase(text: str) -> str:
    """Refuse a phrase that could not be sent as it stands."""
    unknown = set(_SLOT.findall(text)) - {"name", "agent", "brand"}
    if unknown:
        raise ValueError(f"knows no {{{unknown.pop()}}}; write {{name}}, {{agent}} or {{brand}}")
    if strip_marks(text) != text.strip():
        raise ValueError("must not contain a mark like [1], two blanks in a row or a blank before a full stop")
    return text.strip()


Phrase = Annotated[str, AfterValidator(_phrase)]
Phrases = Annotated[tuple[Phrase, ...], Field(min_length=1)]


class Openings(BaseModel):
    """First sentences by the customer's mood, for a reply that no model wrote."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: Phrases
    complaint: Phrases
    angry: Phrases
    praise: Phrases
    confusion: Phrases


class Voice(BaseModel):
    """How the brand speaks in one language. Where there are several phrases, the message decides which is used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    greeting: Phrase
    greeting_nameless: Phrase
    sign_off: Phrase
    disclosure: Phrase
    openings: Openings
    closings: Phrases
    holding: Phrases
    unclear: Phrases
    hello: Phrases
    thanks: Phrases
    praise: Phrases
    private_message: Phrase
    foreign: tuple[Phrase, ...] = ()
    """What leads up to a quotation in the other language; without any, the built-in one."""


class Persona(BaseModel):
    """Who writes the replies. `language` is used where a conversation does not tell one; `agent` signs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brand: str = Field(min_length=1, max_length=80)
    agent: str = Field("", max_length=80)
    language: Language
    disclose: bool = True
    en: Voice
    fi: Voice

    def voice(self, language: Language) -> Voice:
        """Return the phrases of a language."""
        return self.fi if language == "fi" else self.en

    def foreign(self, language: Language) -> tuple[str, ...]:
        """Return the phrases that lead up to a quotation in the other language, and say that it is."""
        return self.voice(language).foreign or _FOREIGN[language]

    def greeting(self, language: Language, name: str | None) -> str:
        """Return the first line of a reply, to the first name where `name` is one that a person can have."""
        voice = self.voice(language)
        first = first_name(name)
        # The name goes in last: it is a stranger's, and nothing in it is a slot.
        if first is None:
            return self._filled(voice.greeting_nameless)
        return self._filled(voice.greeting).replace("{name}", first)

    def ending(self, language: Language) -> list[str]:
        """Return the paragraphs after the body: the sign-off and, unless switched off, the line that names AI."""
        voice = self.voice(language)
        return [self._filled(text) for text in (voice.sign_off, voice.disclosure if self.disclose else "") if text]

    def choose(self, phrases: tuple[str, ...], message: str) -> str:
        """Return one of several phrases, always the same for the same message, so that replies do not look alike."""
        # Salted with the phrases, else the same places of two lists would always come together.
        digest = blake2b(f"{phrases[0]}\n{message}".encode(errors="replace"), digest_size=4).digest()
        return self._filled(phrases[int.from_bytes(digest) % len(phrases)])

    def _filled(self, phrase: str) -> str:
        return phrase.replace("{agent}", self.agent).replace("{brand}", self.brand)


def load_persona(path: Path | None = None, *, disclose: bool = True) -> Persona:
    """Read a persona file, the built-in one without a path; `disclose=False` leaves out the line that names AI.

    Raises Invalid with one sentence that names the file and what is wrong in it.
    """
    source = path or BUILTIN
    try:
        persona = Persona.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
    except OSError as error:
        raise Invalid("persona", f"The persona file {source} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid("persona", f"The persona file {source} is not TOML in UTF-8: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Invalid("persona", f"The persona file {source} is wrong at {where}: {first['msg']}.") from error
    return persona if disclose else persona.model_copy(update={"disclose": False})


def first_name(name: str | None) -> str | None:
    """Return the first name in a name that a stranger gave, None where it is no name that one would greet.

    A name has letters alone, joined by hyphen, apostrophe or blank, at most 40 characters; `<b>`, addresses, marks,
    handles and sentences are none. Written all in capitals or all small it is given its capital.
    """
    if name is None or len(name) > _NAME_LENGTH or "\n" in name or "\r" in name:
        return None
    plain = " ".join(readable(name).split())
    if plain != " ".join(name.split()) or not _NAME.fullmatch(plain) or len(plain.split()) > 4:
        return None
    first = plain.split()[0].rstrip(".")
    if len(first) < 2:
        return None
    return first.title() if first.isupper() or first.islower() else first
