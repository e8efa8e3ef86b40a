"""What the engine logs in tests, where nobody has said how: a line each, with plain tracebacks.

Left to itself structlog prints every local variable of every frame of a traceback when `rich` is
installed. In an engine whose objects all know one another that is a walk through the whole worker:
seconds, and gigabytes.
"""

import structlog


def log_plainly() -> None:
    """Configure structlog, unless somebody has."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
