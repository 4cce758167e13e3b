"""What can be wrong with a request or a delivery, in words for the person who reads it.

    AspaError
    ├── Invalid          a field cannot be used
    ├── NotFound
    ├── Forbidden        who asks may not
    ├── SignatureError   who asks is not who they say
    ├── Conflict         the state of things moved on
    │   └── ConfirmationRequired   a change that makes the knowledge answer worse
    ├── Unavailable      try again later, or repair what the message names
    └── ChannelError     a channel did not take a reply

It knows nothing of HTTP: `api` maps each to a status.
"""
# ruff: noqa: N818  (the names are the words of the domain; the base says that they are errors)

from collections.abc import Mapping
from typing import Any


class AspaError(Exception):
    """An expected failure. Its text is one sentence that says what to do."""


class Invalid(AspaError):
    """A value cannot be used; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NotFound(AspaError):
    """Nothing has that id or name."""


class Forbidden(AspaError):
    """Known, but not allowed."""


class SignatureError(AspaError):
    """A signature, password or token is missing, wrong, too old or revoked."""


class Conflict(AspaError):
    """What was asked no longer fits the state of things; `who` names the agent who was first, if one was.

    `details` are for programs: JSON values under names of their own, such as what the thing is now.
    """

    def __init__(self, message: str, *, who: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.who = who
        self.details = dict(details or {})


class ConfirmationRequired(Conflict):
    """The knowledge would answer worse after the change; whoever asks for it has to say that they mean it.

    Shares of the labelled questions that find their entry: as it is, as it would be, and what it should not go below.
    """

    def __init__(self, *, before: float, after: float, floor: float) -> None:
        super().__init__(
            f"Of the labelled questions {before:.0%} find their entry now and {after:.0%} would after this change, "
            f"less than {floor:.0%}: confirm it, or see in a preview which questions lose theirs.",
            details={
                "code": "confirmation_required",
                "recall_before": before,
                "recall_after": after,
                "floor": floor,
            },
        )


class Unavailable(AspaError):
    """A part that is needed is not there now."""


class ChannelError(AspaError):
    """A channel did not take a reply.

    `permanent` means that trying again cannot help; `retry_after` is the pause in seconds that the channel asked for.
    """

    def __init__(self, message: str, *, permanent: bool, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
