"""Packed rows come back as they went in, whatever the values."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.domain.collection import LayerResult
from app.errors import BadInput, StoreError
from app.store import codec, packing, planes
from tests import factories

TOKENS = 16
SLOTS = 9


def result(
    seed: int, *, gated: bool, scale: float = 1.0, wide: bool = False, filled: float = 0.8
) -> LayerResult:
    """Three neurons of nine slots with random values in every field."""
    rng = np.random.default_rng(seed)
    n = 3
    excerpts = rng.integers(0, 70_000 if wide else 5_000, (n, SLOTS)).astype(np.int32)
    excerpts[rng.random((n, SLOTS)) > filled] = -1
    activations = (rng.normal(size=(n, SLOTS, TOKENS)) * scale).astype(np.float32)
    some = lambda: rng.normal(size=n).astype(np.float32)  # noqa: E731
    return LayerResult(
        layer=0,
        slug="0-mlp",
        kinds=np.zeros(SLOTS, np.uint8),
        splits=np.zeros(SLOTS, np.uint8),
        excerpts=excerpts,
        activations=activations,
        gates=rng.integers(0, 256, (n, SLOTS, TOKENS // 8)).astype(np.uint8) if gated else None,
        mean=rng.normal(size=n),
        variance=rng.random(n),
        skewness=rng.normal(size=n),
        kurtosis=rng.normal(size=n),
        maximum=some(),
        minimum=some(),
        density=some(),
        explain_maximum=some(),
        explain_minimum=some(),
        token_q99=some(),
        token_q01=some(),
        excerpt_max_q99=some(),
        histogram_low=some(),
        histogram_high=some(),
        histogram=rng.integers(0, 2 ** int(rng.integers(1, 32)), (n, 7)).astype(np.uint32),
        sign_shares=rng.random((n, 4)).astype(np.float32) if gated else None,
        position0=rng.random(n) < 0.5,
        band_excerpts=rng.integers(0, 2**32, (n, 4)).astype(np.uint32),
        n_tokens=1,
        n_sampled=1,
    )


@given(
    seed=st.integers(0, 10_000),
    gated=st.booleans(),
    wide=st.booleans(),
    filled=st.sampled_from([0.0, 0.5, 1.0]),
)
@settings(max_examples=60)
def test_a_row_holds_all_records_and_particulars(seed: int, gated: bool, wide: bool, filled: float) -> None:
    made = result(seed, gated=gated, wide=wide, filled=filled)
    for i, data in enumerate(codec.encode_layer(made)):
        slots = np.flatnonzero(made.excerpts[i] >= 0)
        back = codec.decode_records(data)
        assert back.slots.tolist() == slots.tolist()
        assert back.excerpts.tolist() == made.excerpts[i, slots].tolist()
        assert back.activations.dtype == np.float32
        np.testing.assert_array_equal(back.activations, made.activations[i, slots].astype(np.float16))
        if made.gates is None:
            assert back.gates is None
        else:
            assert back.gates is not None
            np.testing.assert_array_equal(np.packbits(back.gates, axis=1), made.gates[i, slots])
        rest = codec.decode_particulars(data)
        assert rest.position0 == bool(made.position0[i])
        assert list(rest.band_excerpts) == made.band_excerpts[i].tolist()
        np.testing.assert_array_equal(rest.histogram.counts, made.histogram[i])
        for name in ("explain_maximum", "explain_minimum", "token_q99", "token_q01", "excerpt_max_q99"):
            assert np.float32(getattr(rest, name)) == getattr(made, name)[i]
        assert np.float32(rest.histogram.low) == made.histogram_low[i]
        assert np.float32(rest.histogram.high) == made.histogram_high[i]
        if made.sign_shares is not None:
            np.testing.assert_array_equal(np.array(rest.sign_shares, np.float32), made.sign_shares[i])
        else:
            assert rest.sign_shares is None


def as_before(data: bytes, made: LayerResult, i: int) -> bytes:
    """The row as version 2 wrote it: the block before the gates, and as it lies in memory."""
    keep = made.excerpts[i] >= 0
    block = made.activations[i, keep].astype("<f2").tobytes()
    gates = b"" if made.gates is None else made.gates[i, keep].tobytes()
    after = len(gates) + len(planes.pack(made.activations[i, keep].astype("<f2")))
    return bytes([2]) + data[1 : len(data) - after] + block + gates


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("filled", [0.0, 0.5, 1.0])
def test_rows_of_the_version_before_are_read(gated: bool, filled: float) -> None:
    made = result(7, gated=gated, filled=filled)
    for i, data in enumerate(codec.encode_layer(made)):
        now, before = codec.decode_records(data), codec.decode_records(as_before(data, made, i))
        for name in ("slots", "excerpts", "activations", "gates"):
            np.testing.assert_array_equal(getattr(now, name), getattr(before, name))
        np.testing.assert_array_equal(codec.decode_exact(data), codec.decode_exact(as_before(data, made, i)))


@given(
    hnp.arrays(
        st.sampled_from(["<f2", "<f4", "<f8"]),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9),
    ),
    st.binary(max_size=5),
)
def test_numbers_of_any_width_survive_their_planes(block: np.ndarray, before: bytes) -> None:
    back = planes.unpack(before + planes.pack(block), len(before), block.size, block.dtype)
    assert back.tobytes() == block.tobytes()


@pytest.mark.parametrize("cut", [1, 20, 600])
def test_a_damaged_row_is_told(cut: int) -> None:
    data = next(codec.encode_layer(result(8, gated=False, filled=1.0)))
    with pytest.raises(StoreError, match="damaged"):
        codec.decode_records(data[:-cut] if cut < 600 else data[: len(data) - 30] + b"\xff" * 30)


def test_activations_take_a_tenth_less_than_in_memory() -> None:
    rng = np.random.default_rng(0)
    block = rng.laplace(0, 0.2, (40, 64)).astype("<f2")
    assert len(planes.pack(block)) < 0.92 * block.nbytes


@given(
    values=hnp.arrays(
        np.float32, (SLOTS, TOKENS), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
    )
)
@settings(max_examples=100)
def test_any_finite_values_keep_eleven_bits_beside_their_largest(values: np.ndarray) -> None:
    """Never worse than half a float16 step of the value, or 2**-21 of the neuron's largest."""
    made = result(0, gated=False, filled=1.0)
    made.activations[1] = values
    back = codec.decode_records(list(codec.encode_layer(made))[1]).activations.astype(np.float64)
    exact = values.astype(np.float64)
    largest = np.abs(exact).max()
    allowed = np.maximum(np.abs(exact) * 2.0**-11, largest * 2.0**-21)
    assert (np.abs(back - exact) <= allowed).all()


@pytest.mark.parametrize("largest", [1e-30, 3e-6, 2.0**-4 - 1e-6, 65_505.0, 1e6, 3e38])
def test_beyond_float16_a_power_of_two_takes_the_values_back(largest: float) -> None:
    made = result(1, gated=False, filled=1.0)
    made.activations[:] = made.activations / np.abs(made.activations).max() * np.float32(largest)
    made.activations[0, 0, 0] = largest
    back = codec.decode_records(next(codec.encode_layer(made))).activations
    assert np.abs(back).max() == pytest.approx(largest, rel=2**-11)
    large = np.abs(made.activations[0]) > largest * 1e-3
    np.testing.assert_allclose(back[large], made.activations[0][large], rtol=2**-11)


@pytest.mark.parametrize("largest", [2.0**-4, 1.0, 512.0, 65_504.0])
def test_within_float16_the_values_are_those_of_float16(largest: float) -> None:
    made = result(2, gated=False, filled=1.0)
    made.activations[:] = np.clip(made.activations, -3, 3) / 3 * np.float32(largest)
    made.activations[0, 0, 0] = largest
    back = codec.decode_records(next(codec.encode_layer(made))).activations
    np.testing.assert_array_equal(back, made.activations[0].astype(np.float16))


def test_unfilled_slots_decide_nothing() -> None:
    """What lies in a slot without an excerpt is neither stored nor looked at."""
    made = result(3, gated=False, filled=1.0)
    made.excerpts[0, 4] = -1
    made.activations[0, 4] = 1e30
    back = codec.decode_records(next(codec.encode_layer(made)))
    assert 4 not in back.slots.tolist()
    np.testing.assert_array_equal(back.activations[0], made.activations[0, 0].astype(np.float16))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    made = result(4, gated=False, filled=1.0)
    made.activations[2, 1, 3] = bad
    with pytest.raises(BadInput, match="neuron 2"):
        list(codec.encode_layer(made))


def test_float16_activations_are_taken_as_they_are() -> None:
    made = result(5, gated=True, filled=1.0)
    half = replace(made, activations=made.activations.astype(np.float16))
    assert list(codec.encode_layer(half)) == list(codec.encode_layer(made))


def test_a_row_of_the_default_profile_is_as_small_as_promised() -> None:
    """About 138 bytes a record with gates (130 without) and 200 a neuron."""
    _, excerpts = factories.corpus()
    for gated, per_record in ((True, 138), (False, 130)):
        made = factories.layer_result(0, excerpts, gated=gated, neurons=4)
        for i, data in enumerate(codec.encode_layer(made)):
            records = int((made.excerpts[i] >= 0).sum())
            assert len(data) <= per_record * records + 220


def test_a_row_of_another_form_is_refused() -> None:
    data = bytearray(next(codec.encode_layer(result(6, gated=False))))
    for form, what in ((99, "update Neuronarium"), (1, "collect the model again")):
        data[0] = form
        with pytest.raises(StoreError, match=what):
            codec.decode_records(bytes(data))


@given(pieces=st.lists(st.binary(max_size=40), max_size=50), special=st.sets(st.integers(0, 49), max_size=5))
def test_vocabularies_keep_every_byte(pieces: list[bytes], special: set[int]) -> None:
    packed = packing.pack_vocabulary(tuple(pieces), frozenset(special))
    assert packing.unpack_vocabulary(packed) == (tuple(pieces), frozenset(special))


@given(n=st.integers(1, 20), largest=st.sampled_from([10, 65_535, 65_536, 300_000]), seed=st.integers(0, 100))
def test_excerpts_come_back(n: int, largest: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, largest + 1, (n, TOKENS)).astype(np.int32)
    tokens[0, 0] = largest
    documents = rng.integers(0, 2**31 - 1, n).astype(np.int32)
    splits = rng.integers(0, 4, n).astype(np.uint8)
    starts = rng.integers(0, 2**31 - 1, n).astype(np.int32)
    data = packing.pack_excerpts(tokens, documents, splits, starts)
    for before, after in zip((tokens, documents, splits, starts), packing.unpack_excerpts(data), strict=True):
        np.testing.assert_array_equal(before, after)
    assert len(data) == 7 + n * (TOKENS * (2 if largest < 65_536 else 4) + 9)


@given(
    expected=hnp.arrays(np.float32, (3, 5), elements=st.floats(0, 10, width=32)),
    excerpts=hnp.arrays(np.int32, (3,), elements=st.integers(0, 2**31 - 1)),
)
def test_simulations_come_back_bit_for_bit(expected: np.ndarray, excerpts: np.ndarray) -> None:
    back = packing.unpack_simulation(packing.pack_simulation(excerpts, expected))
    np.testing.assert_array_equal(back[0], excerpts)
    np.testing.assert_array_equal(back[1], expected)


@given(
    ids=st.lists(st.integers(-1, 300) | st.integers(-1, 70_000) | st.integers(-1, 2**31 - 1), max_size=40),
    more=st.sampled_from([0, 250, 65_530, 2**30]),
)
def test_top_tokens_come_back_without_empty_places(ids: list[int], more: int) -> None:
    means = np.arange(len(ids), dtype=np.float32)
    counts = np.arange(len(ids)) + 1 + more
    back = packing.unpack_tokens(packing.pack_tokens(np.array(ids, np.int32), means, counts))
    keep = [i for i, id_ in enumerate(ids) if id_ >= 0]
    assert back[0].tolist() == [ids[i] for i in keep]
    assert back[1].tolist() == [float(i) for i in keep]
    assert back[2].tolist() == [i + 1 + more for i in keep]
    assert [array.dtype for array in back] == [np.int32, np.float32, np.int32]


def test_top_tokens_of_a_usual_vocabulary_take_58_bytes_for_eight() -> None:
    eight = np.arange(8, dtype=np.int32)
    assert len(packing.pack_tokens(eight + 50_000, eight.astype(np.float32), eight)) == 58


@given(count=st.integers(0, 12))
def test_top_tokens_of_older_stores_are_read(count: int) -> None:
    rows = np.empty(count, np.dtype([("id", "<i4"), ("mean", "<f4"), ("count", "<i4")]))
    rows["id"], rows["mean"], rows["count"] = (
        np.arange(count) + 49_000,
        np.arange(count) / 3,
        np.arange(count),
    )
    back = packing.unpack_tokens(rows.tobytes())
    for array, name in zip(back, ("id", "mean", "count"), strict=True):
        assert np.array_equal(array, rows[name])
