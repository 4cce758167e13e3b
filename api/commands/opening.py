"""How a command gets hold of the program's parts, and where its log goes."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assistant.runtime import Runtime


@contextmanager
def opened(*, level: int = logging.WARNING) -> Iterator["Runtime"]:
    """Open the runtime that the environment describes, and log from `level` on to standard error."""
    from assistant.runtime import open_runtime
    from assistant.settings import get_settings

    settings = get_settings()
    configure_log(settings.log_format, level)
    with open_runtime(settings) as runtime:
        yield runtime


def configure_log(log_format: str, level: int) -> None:
    """Send every log, ours and the libraries', to standard error: for people, or as JSON lines."""
    import structlog

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    drawn: structlog.typing.Processor = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    if log_format == "json":
        shared.append(structlog.processors.format_exc_info)
        drawn = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, drawn], foreign_pre_chain=shared
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
