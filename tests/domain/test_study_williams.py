"""Each at each place, and after each other, equally often."""

from collections import Counter
from itertools import pairwise

import pytest

from app.domain.study_williams import williams


@pytest.mark.parametrize("m", range(2, 11))
def test_balance(m: int) -> None:
    rows = williams(m)
    times = 1 if m % 2 == 0 else 2
    assert len(rows) == m * times and all(sorted(row) == list(range(m)) for row in rows)
    assert set(Counter(pair for row in rows for pair in pairwise(row)).values()) == {times}
    assert len({pair for row in rows for pair in pairwise(row)}) == m * (m - 1)
    for place in range(m):
        assert set(Counter(row[place] for row in rows).values()) == {times}


def test_the_least() -> None:
    assert williams(1) == ((0,),)
    assert williams(2) == ((0, 1), (1, 0))
    assert williams(4)[0] == (0, 1, 3, 2)
    with pytest.raises(ValueError, match="one treatment"):
        williams(0)
