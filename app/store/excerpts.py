"""Signatures; bodies follow."""

from app.domain.collection import Document
from app.store.rows import *
from app.store.session import Session, Store


class ExcerptCache:
    @staticmethod
    def get(store: Store, slug: str) -> StoredExcerpts:
        raise NotImplementedError


def documents(s: Session, slug: str) -> list[Document]:
    raise NotImplementedError
