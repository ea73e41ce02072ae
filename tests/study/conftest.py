"""Stores for studies: on both databases where rows are what is tested, on SQLite alone where it is what is made of them."""

import pytest

from app.store import Store
from tests import factories
from tests.conftest import Full


@pytest.fixture
def lite(tiny_store: Store, tiny: factories.Tiny) -> Full:
    """A small, really computed store of one's own, on SQLite."""
    return Full(tiny_store, tiny)
