"""`aspa demo --once`: the whole way of a message, as a newcomer sees it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.test_language_model import make_folder


def test_it_works(tmp_path: Path) -> None:
    environment = os.environ | {
        "ASPA_LANGUAGE_MODEL": str(make_folder(tmp_path / "lm")),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-m", "api.cli", "demo", "--once"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert (done.returncode, done.stderr if done.returncode else "") == (0, "")
    assert "14 customers have written" in done.stdout
    assert len(re.findall(r"^  (?:ready|abstained), (?:model|extract|template)", done.stdout, re.MULTILINE)) == 14
    assert re.search(r"^  \[1\] .+\(.+-en\) – https://usvapuro\.example/help/", done.stdout, re.MULTILINE)
    assert "its signature verified" in done.stdout
    assert list((tmp_path / "cache/nettiaspa").glob("demo-index/current")), "What was indexed is kept for next time."
