"""Standard Webhooks 1.0: how a body is signed and how a signature is checked.

It knows bytes and secrets, no channel. A secret is `whsec_` and the key in base64; the signature is HMAC-SHA256 over
`id.timestamp.body`. Specification: https://www.standardwebhooks.com.
"""

import binascii
import hmac
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256

from assistant.errors import Invalid, SignatureError

TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"
_MOST_SIGNATURES = 20  # a header from a stranger: what is beyond is not read


def new_secret() -> str:
    """Return a secret of 32 random bytes."""
    return _PREFIX + b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """Return the key in a secret; raises Invalid where it is none of 24 to 64 bytes, as the specification asks."""
    try:
        key = b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise Invalid("secret", "A secret is whsec_ followed by 24 to 64 bytes in base64.")
    return key


def signed_headers(secret: str, message_id: str, body: bytes, *, now: float | None = None) -> dict[str, str]:
    """Return the three headers that go with `body`; `now` is in seconds since 1970."""
    timestamp = str(int(time.time() if now is None else now))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + b64encode(_mac(secret, message_id, timestamp, body)).decode(),
    }


def verify(headers: Mapping[str, str], body: bytes, valid_secrets: Sequence[str], *, now: float | None = None) -> None:
    """Return where one of the secrets signed these bytes within five minutes of `now`.

    `headers` has lower-case names (or any case-insensitive mapping). Raises SignatureError, comparing in constant time.
    """
    try:
        message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
        given = headers["webhook-signature"]
    except KeyError as missing:
        raise SignatureError(f"The header {missing.args[0]} is missing: sign as Standard Webhooks 1.0 says.") from None
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16):
        raise SignatureError("The header webhook-timestamp must be whole seconds since 1970.")
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE_SECONDS:
        raise SignatureError("The signature is more than five minutes off: set the clock, or sign anew.")
    signatures = [part[3:].encode(errors="replace") for part in given.split()[:_MOST_SIGNATURES] if part[:3] == "v1,"]
    wanted = [b64encode(_mac(secret, message_id, timestamp, body)) for secret in valid_secrets]
    matches = [hmac.compare_digest(ours, theirs) for ours in wanted for theirs in signatures]
    if not any(matches):
        raise SignatureError("The signature does not fit the body: sign the raw bytes with the channel's secret.")


def _mac(secret: str, message_id: str, timestamp: str, body: bytes) -> bytes:
    signed = f"{message_id}.{timestamp}.".encode(errors="replace") + body
    return hmac.new(key_of(secret), signed, sha256).digest()
