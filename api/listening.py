"""Getting a port to listen on, or one sentence that says why not."""

import contextlib
import socket
from collections.abc import Iterator

from assistant.errors import Unavailable


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen on `port` of `host` (0 takes a free one); raises Unavailable where that cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Unavailable(f"{host} is no address of this machine ({error.strerror}): choose another --host.") from error
    with listener:
        # A server that was just stopped leaves its port in TIME_WAIT: a restart must not wait a minute for it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(2048)
        except OSError as error:
            raise Unavailable(
                f"Port {port} of {host} cannot be used ({error.strerror}): stop the program that has it, "
                "or choose another with --port."
            ) from error
        yield listener


def url_of(listener: socket.socket) -> str:
    """Return the address that a browser on this machine opens."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{host}:{port}"
