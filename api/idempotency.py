"""The same `Idempotency-Key`, the same answer: a repeated request does nothing a second time.

The answer is kept in the transaction of the deed itself; so it is there if and only if the deed is done. A refusal is
not kept: it changed nothing, and asking again may be right.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, TypeVar

from fastapi import Header, Request
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from api.dependencies import Caller
from assistant.errors import Invalid
from assistant.tables import IdempotentAnswer
from knowledge.database import clean_text

Answer = TypeVar("Answer", bound=BaseModel)

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=255, description="Any text of yours; the same key, the same answer"),
]


def once(
    session: Session, caller: Caller, key: str | None, request: Request, body: BaseModel, respond: Callable[[], Answer]
) -> Answer | dict[str, object]:
    """Return what `respond` answers, or what it answered to the caller's earlier request with this key.

    Of two requests at the same moment the second waits for the first. Raises Invalid where the key was used for
    another request. Without a key, `respond` is simply called.
    """
    if key is None:
        return respond()
    principal = f"agent:{caller.agent.id}" if caller.agent else f"token:{caller.token.id if caller.token else 0}"
    mine = (IdempotentAnswer.principal == principal) & (IdempotentAnswer.key == clean_text(key))
    asked = sha256(f"{request.method} {request.url.path}\n{body.model_dump_json()}".encode()).hexdigest()
    # The unique row makes a second request wait here until the first one commits or gives up.
    added = session.scalar(
        insert(IdempotentAnswer)
        .values(principal=principal, key=clean_text(key), request_hash=asked, status=200, body={})
        .on_conflict_do_nothing()
        .returning(IdempotentAnswer.id)
    )
    kept = session.execute(select(IdempotentAnswer).where(mine)).scalar_one()
    if added is None:
        if kept.request_hash != asked:
            raise Invalid("Idempotency-Key", "This Idempotency-Key was used for another request: take a new one.")
        body_kept: dict[str, object] = kept.body
        return body_kept
    answer = respond()
    kept.body = answer.model_dump(mode="json")
    return answer
