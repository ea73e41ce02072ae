"""The spread between seeds by hand."""

import numpy as np
import pytest

from app.domain.seeds import seed_spread


def test_by_hand() -> None:
    # deviations of the first: -0.1, 0.1; of the second: -0.1, 0, 0.1; the third says nothing
    found = seed_spread([[0.2, 0.4], [0.5, 0.6, 0.7], [0.9]])
    assert found is not None
    assert (found.groups, found.scores) == (2, 5)
    assert found.deviation == pytest.approx(np.sqrt(0.04 / 3))
    assert seed_spread([[0.1], [0.7]]) is seed_spread([]) is None


def test_it_finds_the_deviation_that_is_there() -> None:
    rng = np.random.default_rng(0)
    groups = [rng.normal(mean, 0.05, 3).tolist() for mean in rng.uniform(0, 1, 2000)]
    found = seed_spread(groups)
    assert found is not None and found.deviation == pytest.approx(0.05, rel=0.03)
