"""Logs of the enclave's processes."""

import logging
import sys

import structlog


def configure_logging() -> None:
    """JSON lines on standard error. Nothing about an enterprise is ever logged, only assessment ids."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
