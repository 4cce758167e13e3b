"""Personal data out of past replies (first version)."""

import re

from knowledge.keywords import stems

_MID = re.compile(r"(?<=[\w,;:] )[A-ZÅÄÖ][\w'’-]*")


def names_in(text: str) -> frozenset[str]:
    return frozenset(stems(" ".join(_MID.findall(text)), "fi"))


def redact(text: str, known: frozenset[str]) -> str:
    return text
