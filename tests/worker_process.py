"""A worker in a process of its own, to be killed: `python -m tests.worker_process DATABASE_URL DATA_DIR SCENE`.

It uses stand-ins for the models. At the point that SCENE names it makes the file `there` in DATA_DIR and waits for the
file `go`: "drafting" in the language model, "recording" between sending a reply and noting that it was sent.
DATABASE_URL is "-" for the embedded server in DATA_DIR.
"""

import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from assistant import deliveries, jobs
from models import ChatMessage, Generation
from models.fakes import FakeLanguageModel
from tests.stages import opened


def pause(data_dir: Path) -> None:
    """Say that the point is reached, and wait to be let go (or killed)."""
    (data_dir / "there").touch()
    for _ in range(1200):
        if (data_dir / "go").exists():
            return
        time.sleep(0.05)


class PausingModel(FakeLanguageModel):
    """Pauses before it writes."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__()
        self._data_dir = data_dir

    def generate(self, messages: Sequence[ChatMessage], *, max_new_tokens: int = 200) -> Generation:
        """Pause, then write."""
        pause(self._data_dir)
        return super().generate(messages, max_new_tokens=max_new_tokens)


def main(database_url: str, data_dir: Path, scene: str) -> None:
    """Work until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    model = PausingModel(data_dir) if scene == "drafting" else FakeLanguageModel()
    if scene == "recording":
        record = deliveries._record_success

        def record_later(session: Session, attempt: deliveries.Attempt) -> None:
            pause(data_dir)
            record(session, attempt)

        deliveries._record_success = record_later
    url = None if database_url == "-" else database_url
    with opened(url, data_dir, model, debounce_seconds=0.0, retry_first_seconds=0.1) as runtime:
        jobs.run_worker(runtime)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
