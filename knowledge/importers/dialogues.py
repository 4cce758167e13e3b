"""A conversation of a helpdesk → past replies: every public reply of an agent under the message that it answers.

Knows who said what in which order; the products' own words for that are in `zendesk` and `chatwoot`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from knowledge.importers import LeftOut


@dataclass(frozen=True)
class Turn:
    """Something said. `who` is "neither" for what no person wrote: rules, bots, surveys; `text` is plain."""

    id: str
    who: Literal["customer", "agent", "neither"]
    text: str
    public: bool = True
    sent_at: datetime | None = None


def replies(conversation: str, turns: Sequence[Turn], channel: str | None = None) -> Iterator[dict[str, Any] | LeftOut]:
    """Yield a row per agent's reply, and what was left out and why.

    A reply answers what the customer wrote since the reply before. A second reply to the same message is a row of its
    own under that message. Ids are the conversation's and the reply's, so that a later export brings the same ones.
    """
    asked: list[str] = []
    answered = False
    for turn in turns:
        text = turn.text.strip()
        if turn.who == "neither":
            yield LeftOut("automatic message")
        elif not turn.public:
            yield LeftOut("private note")
        elif not text:
            yield LeftOut("empty message")
        elif turn.who == "customer":
            asked = [text] if answered else [*asked, text]
            answered = False
        elif not asked:
            yield LeftOut("reply to no message of the customer")
        else:
            answered = True
            yield {
                "id": f"{conversation}-{turn.id}",
                "customer": "\n\n".join(asked),
                "reply": text,
                "channel": channel,
                "sent_at": turn.sent_at,
            }
