"""Signatures; bodies follow."""

from app.domain.collection import ModelCard
from app.domain.vocabulary import Vocabulary
from app.store.rows import *
from app.store.session import Session, Store


def add_model(s: Session, card: ModelCard, vocabulary: Vocabulary) -> ModelRow:
    raise NotImplementedError


def models(s: Session) -> list[ModelSummary]:
    raise NotImplementedError


def model(s: Session, slug: str) -> ModelSummary:
    raise NotImplementedError


def layers(s: Session, slug: str) -> list[LayerSummary]:
    raise NotImplementedError


def layer(s: Session, slug: str, layer_slug: str) -> LayerSummary:
    raise NotImplementedError


def vocabulary(s: Session, slug: str) -> Vocabulary:
    raise NotImplementedError


def cached_vocabulary(store: Store, slug: str) -> Vocabulary:
    raise NotImplementedError
