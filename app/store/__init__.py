"""The store: the only package that knows SQLAlchemy."""

from app.store.session import Session, Store

__all__ = ["Session", "Store"]
