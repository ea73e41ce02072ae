"""Published numbers survive to the last decimal, in no more bytes than that takes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.domain.exact_values import ValueForm, exact, narrowest

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FINITE, min_size=1, max_size=40))
def test_any_finite_values_come_back_exactly(values: list[float]) -> None:
    given_ = np.array(values)
    form, block = narrowest(given_)
    back = exact(form, block)
    assert np.array_equal(back, given_)
    assert (np.signbit(back) == np.signbit(given_)).all()


@given(st.lists(st.floats(-2000, 2000, width=16), min_size=1, max_size=64))
def test_float16_with_four_decimals_takes_two_bytes(values: list[float]) -> None:
    published = np.array([float(f"{value:.4f}") for value in values])
    form, block = narrowest(published)
    assert form in (ValueForm.HALF, ValueForm.HALF_DECIMAL)
    assert block.itemsize == 2 and np.array_equal(exact(form, block), published)


def test_what_is_no_float16_is_kept_wider() -> None:
    assert narrowest(np.array([0.1526]))[0] is ValueForm.HALF_DECIMAL
    assert narrowest(np.array([0.1526, 1 / 3]))[0] is ValueForm.DOUBLE
    assert narrowest(np.array([float(np.float32(1 / 3))]))[0] is ValueForm.SINGLE
    assert narrowest(np.array([1.4454]))[0] is ValueForm.SINGLE_DECIMAL
    assert narrowest(np.array([70000.0]))[0] is ValueForm.SINGLE_DECIMAL
