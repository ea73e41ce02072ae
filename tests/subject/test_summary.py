"""Shape of distributions and the pilot's rules, against numpy and scipy."""

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.subject.capture import LayerBlock, pack_on_device
from app.subject.pilot import pilot_of, quantiles
from app.subject.summary import TokenSample, shape_of, upper_quantile

VALUES = st.floats(-100, 100, width=32)


def sample(x: np.ndarray, gates: np.ndarray | None = None) -> TokenSample:  # type: ignore[type-arg]
    """The first half of the explain split, every fifth at position 0."""
    rows = np.arange(len(x))
    bits = None if gates is None else torch.from_numpy(gates.view(np.uint8))
    return TokenSample(torch.from_numpy(x), bits, len(x) // 2, torch.from_numpy(rows % 5 == 0))


@given(hnp.arrays(np.float32, st.tuples(st.integers(2, 40), st.integers(1, 4)), elements=VALUES))
def test_shape_of_anything(x: np.ndarray) -> None:  # type: ignore[type-arg]
    peak = x[: len(x) // 2].max(0)
    shape = shape_of(sample(x), torch.zeros(x.shape[1], dtype=torch.bool), torch.from_numpy(peak))
    np.testing.assert_allclose(
        shape.token_q99, np.quantile(x[: len(x) // 2], 0.99, axis=0), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        shape.token_q01, np.quantile(x[: len(x) // 2], 0.01, axis=0), rtol=1e-4, atol=1e-4
    )
    assert (shape.histogram.sum(1) == len(x)).all()
    np.testing.assert_array_equal(shape.histogram_high, x.max(0))
    np.testing.assert_array_equal(shape.histogram_low, x.min(0))
    np.testing.assert_allclose(shape.density, ((x >= peak / 10) & (x > 0)).mean(0), atol=1e-6)
    assert all(torch.isfinite(f).all() for f in shape if f is not None)
    wide = x.std(0) > 1e-2
    with np.errstate(all="ignore"):
        skew = scipy.stats.skew(x.astype(np.float64))
    np.testing.assert_allclose(shape.skewness.numpy()[wide], skew[wide], rtol=5e-3, atol=5e-3)


def test_a_constant_neuron_has_no_shape() -> None:
    shape = shape_of(
        sample(np.full((10, 2), 3.0, np.float32)), torch.zeros(2, dtype=torch.bool), torch.full((2,), 3.0)
    )
    assert shape.skewness.tolist() == shape.kurtosis.tolist() == [0, 0]
    assert shape.histogram[:, 0].tolist() == [10, 10]


def test_outliers_lose_position_0_alone() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    x[::5, 1] = 1000
    gates = np.random.default_rng(1).random((50, 3)) < 0.3
    shape = shape_of(
        sample(x, gates), torch.tensor([False, True, False]), torch.from_numpy(x[: len(x) // 2].max(0))
    )
    kept = np.arange(50) % 5 != 0
    assert shape.histogram.sum(1).tolist() == [50, 40, 50]
    assert shape.histogram_high[1] == x[kept, 1].max()
    assert shape.kurtosis[1] == pytest.approx(scipy.stats.kurtosis(x[kept, 1], fisher=False), rel=1e-4)
    assert shape.kurtosis[2] == pytest.approx(scipy.stats.kurtosis(x[:, 2], fisher=False), rel=1e-4)
    assert shape.sign_shares is not None
    np.testing.assert_allclose(shape.sign_shares.sum(1), 1, atol=1e-6)
    up = (x[kept, 1] > 0) == gates[kept, 1]
    assert shape.sign_shares[1, 0] == pytest.approx((gates[kept, 1] & up).mean(), abs=1e-6)
    assert shape.sign_shares[1, 2] == pytest.approx((~gates[kept, 1] & up).mean(), abs=1e-6)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 300)), elements=VALUES))
def test_upper_quantile_is_numpys(rows: np.ndarray) -> None:  # type: ignore[type-arg]
    got = upper_quantile(torch.from_numpy(rows), 0.99)
    np.testing.assert_allclose(got, np.quantile(rows, 0.99, axis=1), rtol=1e-4, atol=1e-4)


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 50), st.integers(1, 3)), elements=VALUES))
def test_quantiles_are_numpys(values: np.ndarray) -> None:  # type: ignore[type-arg]
    at = (0.5, 0.9, 0.99, 0.999)
    np.testing.assert_allclose(
        quantiles(torch.from_numpy(values), at), np.quantile(values, at, axis=0), rtol=1e-4, atol=1e-4
    )


def test_position_0_is_an_outlier_in_more_than_half() -> None:
    rest = torch.ones(10, 4)
    first = torch.full((10, 4), 0.5)
    first[:6, 0] = 2.0  # 6 of 10 above
    first[:5, 1] = 2.0  # just half
    first[:6, 2] = -2.0  # by magnitude
    first[:, 3] = 1.0  # never above
    pilot = pilot_of(rest, -rest, first)
    assert pilot.outlier.tolist() == [True, False, True, False]
    assert pilot.edges[-1, 0] == 1  # position 0 does not count for an outlier
    assert pilot.edges[0, 1] == 1.5


@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 20)), elements=VALUES
    )
)
def test_packed_signs(gate: np.ndarray) -> None:  # type: ignore[type-arg]
    count, tokens, neurons = gate.shape
    block = LayerBlock(0, count + 1, tokens, neurons, True, torch.device("cpu"))
    block.put_gates(1, torch.from_numpy(gate))
    assert block.gates is not None
    packed = block.gates[1:]
    bits = np.unpackbits(packed.numpy(), axis=-1, count=neurons)
    np.testing.assert_array_equal(bits, gate > 0)
    # What accelerators do instead runs on a CPU as well.
    assert torch.equal(pack_on_device(torch.from_numpy(gate > 0)), packed)
