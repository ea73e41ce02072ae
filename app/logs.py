"""Logs: one short line an event, `key=value`, on standard error. No secret is ever given to a logger."""

import logging
import sys
from datetime import UTC, datetime


class Line(logging.Formatter):
    """`time=… level=info at=jobs.worker msg="…"`, with a traceback below where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        name = record.name.removeprefix("app.")
        message = record.getMessage().replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        line = (
            f'time={time.removesuffix("+00:00")}Z level={record.levelname.lower()} at={name} msg="{message}"'
        )
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure(level: int = logging.INFO) -> None:
    """Send the application's own logs to standard error; those of libraries from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("app").setLevel(level)
