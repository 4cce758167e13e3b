"""How a long-running command ends: by SIGTERM, by Ctrl+C, or with the process that started it.

It imports nothing heavy: a worker uses it and has no use for the web.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn


@contextlib.contextmanager
def stopped_by_signal() -> Iterator[None]:
    """Let SIGTERM unwind what is open, as Ctrl+C does, and end both without a complaint."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def stop_event(*, end_of_stdin: bool) -> Iterator[threading.Event]:
    """Return an event that SIGTERM or Ctrl+C sets; a second one interrupts at once.

    With `end_of_stdin` it is also set when standard input ends, as it does when the process that started us is gone.
    """
    stop = threading.Event()

    def request(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    def wait() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock would be ours when the interpreter ends
            pass
        stop.set()

    before = {number: signal.signal(number, request) for number in (signal.SIGTERM, signal.SIGINT)}
    if end_of_stdin:
        threading.Thread(target=wait, name="parent", daemon=True).start()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
