"""How texts are recognised and vectors kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.domain.embeddings import HASH_BYTES, pack, text_hash, unit, unpack


@given(st.text())
def test_white_space_around_a_text_makes_no_other_text_of_it(text: str) -> None:
    assert text_hash(f" \n{text}\t ") == text_hash(text)
    assert len(text_hash(text)) == HASH_BYTES


def test_other_texts_are_other_texts() -> None:
    texts = ["", "a", "A", "a b", "ab", "\ud800", "é", "e\u0301"]
    assert len({text_hash(text) for text in texts}) == len(texts)


@given(
    arrays.arrays(
        np.float64, (3, 5), elements=st.floats(-1e300, 1e300).filter(lambda x: x == 0 or abs(x) > 1e-300)
    )
)
def test_unit_vectors_have_length_one_or_are_refused(vectors: np.ndarray) -> None:
    if not np.abs(vectors).max(axis=1).all():
        with pytest.raises(ValueError, match="no direction"):
            unit(vectors)
        return
    assert np.allclose(np.linalg.norm(unit(vectors), axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="no direction"):
        unit(np.array([[1.0, 0.0], [wrong, 1.0]]))


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(0, 4), st.just(7)), elements=st.floats(-1, 1, width=32))
)
def test_packed_vectors_come_back_as_the_nearest_float16(vectors: np.ndarray) -> None:
    data = pack(vectors)
    assert len(data) == 2 * vectors.size
    back = unpack(data, 7)
    assert back.dtype == np.float16 and np.array_equal(back, vectors.astype(np.float16))
    assert (
        np.abs(back - vectors.astype(np.float64)) <= np.maximum(2.0**-11 * np.abs(vectors), 2.0**-25) * 1.001
    ).all()


def test_bytes_of_broken_vectors_are_refused() -> None:
    with pytest.raises(ValueError):
        unpack(b"\0" * 15, 4)
