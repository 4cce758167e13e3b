"""What the operator can set, and the only reader of the environment.

Every setting is an environment variable with the prefix `ASPA_`. It knows nothing of what is done with them.
"""

import os
import secrets
from functools import cache
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from assistant.errors import Unavailable


class Settings(BaseSettings):
    """The settings of one process; durations are in seconds."""

    model_config = SettingsConfigDict(env_prefix="ASPA_", extra="ignore", frozen=True)

    data_dir: Path = Field(default_factory=lambda: user_data_path("nettiaspa"))
    """Where the embedded database, the index and the secret key live."""
    database_url: SecretStr | None = None
    """A PostgreSQL server of your own, `postgresql://…`; without it an embedded one runs in `data_dir`."""
    secret_key: SecretStr | None = None
    """Signs browser sessions; without it one is made and kept in `data_dir`. Replicas must share one."""
    public_url: str = "http://127.0.0.1:8000"
    """Where agents reach the inbox, for links."""

    embedding_model: str = "builtin"
    vector_index: Literal["faiss", "pgvector"] = "faiss"
    """Where the vectors are: in files beside the words, or in the database."""
    language_model: str = "builtin"
    persona: Path | None = None
    """A persona file (TOML); without it the built-in one speaks."""
    disclosure: bool = True
    """Whether a reply says that it was drafted with AI."""

    learn: bool = True
    """Whether approved replies become past replies, personal data taken out."""
    gap_days: int = Field(90, gt=0)
    """How far back questions are looked at for what the knowledge is missing."""

    review_after_days: int = Field(365, ge=0)
    """How long a FAQ entry may stand without anybody looking at it, before it is due for review; 0 means for ever."""
    replay_questions: int = Field(200, ge=0, le=5000)
    """How many of the newest customers' questions are asked to show what a change to the knowledge would do."""
    recall_floor: float = Field(0.8, ge=0, le=1)
    """A change that lets fewer of the labelled questions find their entry than this, and than before, is confirmed."""

    debounce_seconds: float = Field(3.0, ge=0)
    """How long a conversation must be quiet before a draft is written, so that three quick messages give one draft."""
    debounce_limit_seconds: float = Field(15.0, ge=0)
    """How long after the first unanswered message a draft is written even if the customer keeps typing."""

    retry_first_seconds: float = Field(2.0, gt=0)
    """The pause after a delivery's first failed attempt; it doubles each time."""
    retry_longest_seconds: float = Field(3600.0, gt=0)
    retry_give_up_hours: float = Field(24.0, gt=0)
    """How long a delivery is tried before it is shown as failed."""

    suggest_timeout_seconds: float = Field(60.0, gt=0)
    session_hours: float = Field(12.0, gt=0)
    max_body_bytes: int = Field(262_144, gt=0)
    log_format: Literal["console", "json"] = "console"


@cache
def get_settings() -> Settings:
    """Read the environment, once per process; raises pydantic's ValidationError naming the setting that is wrong."""
    return Settings()


def secret_key(settings: Settings) -> str:
    """Return the key that signs sessions, from the settings or from a 0600 file that the first caller makes.

    Raises Unavailable where the file can be neither read nor made.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = settings.data_dir / "secret.key"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _place(path, secrets.token_urlsafe(48))
        key = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise Unavailable(f"{path} cannot be used ({error.strerror}): set ASPA_SECRET_KEY or ASPA_DATA_DIR.") from error
    if len(key) < 32:
        raise Unavailable(f"{path} is damaged: delete it; agents then sign in again.")
    return key


def _place(path: Path, key: str) -> None:
    """Put the key at `path` whole or not at all, so that two processes starting together read the same one."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return  # the other process was first: its key is the one
    finally:
        draft.unlink()
