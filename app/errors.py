"""The tree of errors a user may meet. Each says in one line what is wrong and what to do about it.

Only `web` turns them into HTTP answers and only `cli` into exit codes, each in one place; `status` is a hint to the former.
"""

from typing import NamedTuple


class Way(NamedTuple):
    """Where to go instead."""

    label: str
    address: str


class AppError(Exception):
    """Base of all expected errors; the message is shown to people."""

    status = 500
    ways: tuple[Way, ...] = ()  # a page offers them as links

    @property
    def sentence(self) -> str:
        """The message where it stands alone: a capital first unless it begins with a name, a full stop last."""
        text = str(self).strip()
        first = text.split(" ", 1)[0]
        if first.isalpha() and first.islower():
            text = text[0].upper() + text[1:]
        return f"{text}." if text[-1:].isalnum() else text


class NotFound(AppError):
    """Something named does not exist; the message says what does."""

    status = 404


class BadInput(AppError):
    """The caller gave something that cannot be used."""

    status = 422


class Conflict(AppError):
    """The request is sound but cannot be done now (already running, already there, store of a newer version)."""

    status = 409


class Refused(AppError):
    """Refused before doing anything: over a spending cap, no credentials, a foreign origin."""

    status = 403


class OverBudget(Refused):
    """Refused because the job that asks has a budget of its own, which the request could pass."""


class ModelError(AppError):
    """A subject model that cannot be loaded or is of an unknown family."""

    status = 422


class CorpusError(AppError):
    """A corpus that holds no usable text or cannot be read."""

    status = 422


class EndpointError(AppError):
    """A language model's endpoint failed for good after bounded retries; the message says how."""

    status = 502


class AnswerError(AppError):
    """An endpoint answered, but the answer cannot be used (nonsense, wrong length, refusal, empty)."""

    status = 502


class StoreError(AppError):
    """The store cannot be opened or written: disk full, newer version, locked."""

    status = 503


class SourceError(AppError):
    """Where an import reads from refuses, fails for good or stalls; the message says how to go on."""

    status = 502
