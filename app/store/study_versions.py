"""What came of changing a study that was frozen."""

from sqlalchemy import select

from app.store import tables as t
from app.store.session import Session


def later(s: Session, study_id: int) -> list[int]:
    """The studies that were made as new versions of one, oldest first."""
    c = t.studies.c
    return list(s.execute(select(c.id).where(c.previous_id == study_id).order_by(c.id)).scalars())
