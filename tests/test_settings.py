"""What the operator can set."""

import stat
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from assistant.errors import Unavailable
from assistant.settings import Settings, secret_key


def test_it_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASPA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ASPA_DEBOUNCE_SECONDS", "0.5")
    monkeypatch.setenv("ASPA_DATABASE_URL", "postgresql://user:hidden@host/name")
    settings = Settings()
    assert (settings.data_dir, settings.debounce_seconds) == (tmp_path, 0.5)
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(("name", "value"), [("ASPA_DEBOUNCE_SECONDS", "soon"), ("ASPA_RETRY_FIRST_SECONDS", "0")])
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.removeprefix("ASPA_").lower()):
        Settings()


def test_the_secret_key_is_made_once_and_kept(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new")
    keys: set[str] = set()
    threads = [threading.Thread(target=lambda: keys.add(secret_key(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 1
    assert keys == {secret_key(settings)}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret.key"]
    assert stat.S_IMODE((tmp_path / "new" / "secret.key").stat().st_mode) == 0o600


def test_the_operators_key_counts(tmp_path: Path) -> None:
    assert secret_key(Settings(data_dir=tmp_path, secret_key=SecretStr("x" * 40))) == "x" * 40
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("")
    with pytest.raises(Unavailable, match="is damaged: delete it"):
        secret_key(Settings(data_dir=tmp_path))
    with pytest.raises(Unavailable, match="set ASPA_SECRET_KEY or ASPA_DATA_DIR"):
        secret_key(Settings(data_dir=tmp_path / "secret.key"))
