"""Signatures; bodies follow."""

from collections.abc import Sequence

from app.domain.collection import Document, ExcerptTable, LayerResult
from app.domain.neurons import Profile
from app.store.rows import *
from app.store.session import Session


def begin(
    s: Session,
    model_slug: str,
    corpus_name: str,
    documents: Sequence[Document],
    excerpts: ExcerptTable,
    profile: Profile,
    parameters_json: str,
    job_id: str | None,
) -> int:
    raise NotImplementedError


def write_layer(s: Session, collection_id: int, result: LayerResult) -> None:
    raise NotImplementedError


def written(s: Session, collection_id: int) -> list[str]:
    raise NotImplementedError


def finish(s: Session, collection_id: int) -> None:
    raise NotImplementedError


def abandon(s: Session, collection_id: int) -> None:
    raise NotImplementedError


def get(s: Session, collection_id: int) -> CollectionRow:
    raise NotImplementedError


def of_model(s: Session, slug: str) -> list[CollectionRow]:
    raise NotImplementedError
