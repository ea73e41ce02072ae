"""Collection against brute force on small random models."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch

from app.domain.collection import LayerResult
from app.domain.neurons import Kind, Profile, Quota, Split
from app.errors import BadInput, Conflict, ModelError, StoreError
from app.subject import collect as collect_module
from app.subject import partials
from app.subject.collect import Collector
from app.subject.load import Subject
from app.subject.partials import shard_path
from tests.subject import tiny
from tests.subject.brute_force import Everything, Expected, expect, read_all

EXCERPTS = 700  # three shards, the last one short


def never() -> bool:
    return False


def silent(_: int) -> None:
    return None


def gathered(collector: Collector, folder: Path) -> list[LayerResult]:
    assert collector.run(folder, silent, never)
    return list(collector.merge(folder))


def same(left: list[LayerResult], right: list[LayerResult]) -> bool:
    """Bit for bit."""

    def equal(a: object, b: object) -> bool:
        if isinstance(a, np.ndarray):
            return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.tobytes() == b.tobytes()
        return a == b

    pairs = zip(left, right, strict=True)
    return all(equal(a, b) for x, y in pairs for a, b in zip(fields(x), fields(y), strict=True))


def fields(result: LayerResult) -> list[object]:
    return [getattr(result, name) for name in result.__dataclass_fields__]


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def collected(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Collector, list[LayerResult], list[Everything], list[Expected]]]:
    subject = tiny.subject(request.param)
    collector = Collector(subject, tiny.table(EXCERPTS), Profile(), range(2), 7)
    results = gathered(collector, tmp_path_factory.mktemp(request.param))
    everything = read_all(collector)
    yield collector, results, everything, [expect(collector, i, e) for i, e in enumerate(everything)]


Collected = tuple[Collector, list[LayerResult], list[Everything], list[Expected]]


def test_every_slot_is_brute_forces(collected: Collected) -> None:
    _, results, everything, expected = collected
    for result, every, want in zip(results, everything, expected, strict=True):
        np.testing.assert_array_equal(result.position0, want.position0)
        np.testing.assert_array_equal(result.excerpts, want.excerpts)
        np.testing.assert_array_equal(result.band_excerpts, want.bands)
        assert (result.excerpts >= 0).mean() > 0.9
        neurons, slots = np.nonzero(result.excerpts >= 0)
        found = every.values[result.excerpts[neurons, slots], :, neurons]  # [M, T]
        np.testing.assert_array_equal(
            result.activations[neurons, slots], found.astype(result.activations.dtype)
        )
        assert not result.activations[result.excerpts < 0].any()
        if every.gates is None:
            assert result.gates is None
        else:
            assert result.gates is not None and result.gates.shape == (28, 64, 8)
            gates = np.unpackbits(result.gates[neurons, slots], axis=1)
            np.testing.assert_array_equal(gates, every.gates[result.excerpts[neurons, slots], :, neurons])


def test_slots_follow_the_profile_and_splits(collected: Collected) -> None:
    collector, results, _, _ = collected
    kinds, splits = Profile().slots()
    for result in results:
        np.testing.assert_array_equal(result.kinds, kinds)
        np.testing.assert_array_equal(result.splits, splits)
        _, slots = np.nonzero(result.excerpts >= 0)
        np.testing.assert_array_equal(
            collector.excerpts.splits[result.excerpts[result.excerpts >= 0]], splits[slots]
        )


@pytest.mark.parametrize("top", [1, 2])
def test_the_last_band_is_known_by_more_than_its_top(top: int, tmp_path: Path) -> None:
    """What the estimate over the population rests on: no excerpt is left out, and none stands for others by its rank."""
    profile = replace(Profile(), score=Quota(top, 1, 2, 3))
    collector = Collector(tiny.subject("llama"), tiny.table(EXCERPTS), profile, range(2), 7)
    results = gathered(collector, tmp_path)
    beyond = 0
    for result, every in zip(results, read_all(collector), strict=True):
        want = expect(collector, result.layer, every)
        np.testing.assert_array_equal(result.excerpts, want.excerpts)
        np.testing.assert_array_equal(result.band_excerpts, want.bands)
        assert (result.band_excerpts.sum(1) == (collector.excerpts.splits == Split.SCORE).sum()).all()
        score = result.splits == Split.SCORE
        strongest = result.excerpts[:, score & (result.kinds == Kind.TOP)]
        for n, counts in enumerate(result.band_excerpts.tolist()):
            last = result.excerpts[n, score & (result.kinds == Kind.Q4)]
            others = set(last.tolist()) - {-1} - set(strongest[n].tolist())
            assert len(others) == min(2, max(0, counts[-1] - top))
            beyond += counts[-1] > top
    assert beyond > 10


def test_moments_and_extremes(collected: Collected) -> None:
    collector, results, _, expected = collected
    explain = collector.excerpts.splits == Split.EXPLAIN
    for result, want in zip(results, expected, strict=True):
        np.testing.assert_allclose(result.mean, np.nanmean(want.counted, (0, 1)), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(result.variance, np.nanvar(want.counted, (0, 1)), rtol=1e-4)
        np.testing.assert_array_equal(result.maximum, np.nanmax(want.counted, (0, 1)).astype(np.float32))
        np.testing.assert_array_equal(result.minimum, np.nanmin(want.counted, (0, 1)).astype(np.float32))
        inside = want.counted[explain]
        np.testing.assert_array_equal(result.explain_maximum, np.nanmax(inside, (0, 1)).astype(np.float32))
        np.testing.assert_array_equal(result.explain_minimum, np.nanmin(inside, (0, 1)).astype(np.float32))
        assert result.n_tokens == EXCERPTS * 64
        assert result.n_sampled == collect_module.SAMPLED_LEAST
        assert (result.histogram.sum(1) <= result.n_sampled).all()


def test_whole_sample_gives_the_exact_distribution(tmp_path: Path) -> None:
    """With fewer tokens than the sample holds, everything from the sample is exact but for float16."""
    collector = Collector(tiny.subject("llama"), tiny.table(30), Profile(), range(2), 3)
    results, everything = gathered(collector, tmp_path), read_all(collector)
    explain = collector.excerpts.splits == Split.EXPLAIN
    for layer, (result, every) in enumerate(zip(results, everything, strict=True)):
        want = expect(collector, layer, every)
        assert result.n_sampled == 30 * 64
        for n in range(28):
            a = want.counted[:, :, n]
            a = a[~np.isnan(a)]
            inside = want.counted[explain, :, n]
            inside = inside[~np.isnan(inside)]
            assert result.skewness[n] == pytest.approx(scipy.stats.skew(a), rel=2e-3, abs=2e-3)
            assert result.kurtosis[n] == pytest.approx(scipy.stats.kurtosis(a, fisher=False), rel=3e-3)
            spread = a.max() - a.min()
            assert result.token_q99[n] == pytest.approx(np.quantile(inside, 0.99), abs=1e-3 * spread)
            assert result.token_q01[n] == pytest.approx(np.quantile(inside, 0.01), abs=1e-3 * spread)
            dense = ((a >= inside.max() / 10) & (a > 0)).mean()
            assert result.density[n] == pytest.approx(dense, abs=2e-3)
            assert result.histogram[n].sum() == len(a)
            counts, _ = np.histogram(a, 64, (result.histogram_low[n], result.histogram_high[n]))
            assert np.abs(counts - result.histogram[n].astype(int)).sum() <= 0.02 * len(a)
            peaks = np.nanmax(want.counted[explain, :, n], 1)
            assert result.excerpt_max_q99[n] == pytest.approx(np.quantile(peaks, 0.99), abs=1e-5 * spread)
            assert every.gates is not None and result.sign_shares is not None
            gate = every.gates[:, :, n]
            x = every.values[:, :, n]
            rows = np.ones_like(gate)
            rows[:, 0] = not want.position0[n]
            up = (x > 0) == gate  # the sign of what the gate multiplies
            shares = [(gate == g)[rows] & (up == u)[rows] for g, u in ((1, 1), (1, 0), (0, 1), (0, 0))]
            np.testing.assert_allclose(result.sign_shares[n], [s.mean() for s in shares], atol=1e-6)


def test_a_position_0_outlier_is_left_out(tmp_path: Path) -> None:
    """A position embedding that makes some neurons peak at position 0 in every excerpt, as attention sinks do."""
    subject = tiny.subject("gpt2")
    with torch.no_grad():
        direction = torch.tensor([1.0, -1.0] * 8)
        subject.model.transformer.wpe.weight[0] = 100 * direction
        for block in subject.model.transformer.h:
            block.mlp.c_fc.weight[:, :4] = direction[:, None]
    collector = Collector(subject, tiny.table(300), Profile(), range(2), 0)
    for result, every in zip(gathered(collector, tmp_path), read_all(collector), strict=True):
        want = expect(collector, result.layer, every)
        flagged = result.position0
        assert flagged[:4].all() and not flagged.all()
        np.testing.assert_array_equal(flagged, want.position0)
        np.testing.assert_array_equal(result.excerpts, want.excerpts)
        np.testing.assert_allclose(result.mean, np.nanmean(want.counted, (0, 1)), rtol=1e-5, atol=1e-6)
        assert (result.maximum[:4] < every.values.max((0, 1))[:4]).all()
        sampled = np.flatnonzero(result.histogram.sum(1) < result.n_sampled)
        np.testing.assert_array_equal(sampled, np.flatnonzero(flagged))


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_any_order_and_several_workers_give_the_same(kind: str, tmp_path: Path) -> None:
    subject, table = tiny.subject(kind), tiny.table(EXCERPTS)

    def make() -> Collector:
        return Collector(subject, table, Profile(), range(2), 7)

    one = gathered(make(), tmp_path / "one")
    workers = [make(), make()]
    for shard, worker in ((2, 0), (0, 1), (1, 0)):
        assert workers[worker].run_shard(shard, tmp_path / "two", silent, never)
    assert same(one, list(make().merge(tmp_path / "two")))


def test_little_memory_gives_the_same(tmp_path: Path) -> None:
    subject, table = tiny.subject("llama"), tiny.table(EXCERPTS)
    roomy = gathered(Collector(subject, table, Profile(), range(2), 7), tmp_path / "a")
    tight = gathered(Collector(subject, table, Profile(), range(2), 7, block=40), tmp_path / "b")
    assert same(roomy, tight)


def test_parts_hold_no_more_than_can_be_needed(tmp_path: Path) -> None:
    collector = Collector(tiny.subject("gpt2"), tiny.table(EXCERPTS), Profile(), [0], 7, block=40)
    assert collector.run(tmp_path, silent, never)
    held = []
    for shard in range(3):
        with partials.opened(shard_path(tmp_path, shard), collector.fingerprint()) as file:
            held.append(len(file.part(0).keys))
    assert held[0] <= 32 * (64 + 8)
    assert held[2] < held[1] < held[0]  # what earlier shards outdo is left out


def test_some_layers_alone_are_the_same(tmp_path: Path) -> None:
    subject, table = tiny.subject("gpt2"), tiny.table(300)
    both = gathered(Collector(subject, table, Profile(), [1, 0], 7), tmp_path / "a")
    second = gathered(Collector(subject, table, Profile(), [1], 7), tmp_path / "b")
    assert [r.slug for r in both] == ["0-mlp", "1-mlp"]
    assert same(both[1:], second)


def test_seed_decides_the_random_sample(tmp_path: Path) -> None:
    subject, table = tiny.subject("gpt2"), tiny.table(300)
    a, b = (
        gathered(Collector(subject, table, Profile(), [0], seed), tmp_path / str(seed))[0] for seed in (1, 2)
    )
    kinds = Profile().slots()[0]
    assert (a.excerpts[:, kinds == Kind.RANDOM] != b.excerpts[:, kinds == Kind.RANDOM]).any()
    np.testing.assert_array_equal(a.excerpts[:, kinds == Kind.TOP], b.excerpts[:, kinds == Kind.TOP])


def test_fewer_excerpts_than_slots(tmp_path: Path) -> None:
    table = tiny.table(9)
    collector = Collector(tiny.subject("llama"), table, Profile(), [0], 0)
    (result,) = gathered(collector, tmp_path)
    for split in (Split.EXPLAIN, Split.DEV, Split.SCORE):
        top = result.excerpts[:, (result.kinds == Kind.TOP) & (result.splits == split)]
        assert ((top >= 0).sum(1) == min((table.splits == split).sum(), top.shape[1])).all()


@pytest.mark.parametrize("factor", [1e5, 1e-6])
def test_values_outside_float16_stay_float32(factor: float, tmp_path: Path) -> None:
    subject = tiny.subject("llama")
    with torch.no_grad():
        subject.model.model.layers[0].mlp.up_proj.weight *= factor
    collector = Collector(subject, tiny.table(40), Profile(), [0, 1], 0)
    first = gathered(collector, tmp_path)[0]
    every = read_all(collector)[0]
    assert first.activations.dtype == np.float32
    neurons, slots = np.nonzero(first.excerpts >= 0)
    found = every.values[first.excerpts[neurons, slots], :, neurons]
    np.testing.assert_allclose(first.activations[neurons, slots], found, rtol=1e-6)


def test_values_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    subject = tiny.subject("llama")
    with torch.no_grad():
        subject.model.model.layers[1].mlp.up_proj.weight[3, 3] = torch.inf
    with pytest.raises(ModelError, match=r"Layer 1 .* not finite"):
        Collector(subject, tiny.table(40), Profile(), [0, 1], 0).run_shard(0, tmp_path, silent, never)
    assert list(tmp_path.iterdir()) == []


def test_out_of_memory_halves_the_batch(tmp_path: Path) -> None:
    subject = tiny.subject("gpt2")
    sizes: list[int] = []

    def scarce(_: torch.nn.Module, __: tuple[()], kwargs: dict[str, torch.Tensor]) -> None:
        sizes.append(len(kwargs["input_ids"]))
        if sizes[-1] > 4:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    handle = subject.decoder.register_forward_pre_hook(scarce, with_kwargs=True)
    collector = Collector(subject, tiny.table(40), Profile(), [0], 0)
    (scarce_result,) = gathered(collector, tmp_path / "a")
    handle.remove()
    assert sizes[0] > 8 and sizes[1:3] == [8, 4] and max(sizes[3:]) <= 4
    (result,) = gathered(Collector(subject, tiny.table(40), Profile(), [0], 0), tmp_path / "b")
    np.testing.assert_allclose(scarce_result.mean, result.mean, rtol=1e-5, atol=1e-6)


def test_no_memory_at_all_is_an_error(tmp_path: Path) -> None:
    subject = tiny.subject("gpt2")

    def none(*_: object) -> None:
        raise MemoryError

    handle = subject.decoder.register_forward_pre_hook(none)
    with pytest.raises(ModelError, match="not enough memory"):
        Collector(subject, tiny.table(40), Profile(), [0], 0).run_shard(0, tmp_path, silent, never)
    handle.remove()


def test_progress_and_cancel(tmp_path: Path) -> None:
    collector = Collector(tiny.subject("gpt2"), tiny.table(EXCERPTS), Profile(), [0], 0)
    told: list[int] = []
    assert not collector.run(tmp_path, told.append, lambda: len(told) >= 20)
    assert told == sorted(told) and 256 < told[-1] < 512
    assert collector.done(tmp_path) == [0]
    with pytest.raises(Conflict, match="2 of 3 shards"):
        next(collector.merge(tmp_path))
    told.clear()
    resumed = Collector(tiny.subject("gpt2"), tiny.table(EXCERPTS), Profile(), [0], 0)
    assert resumed.run(tmp_path, told.append, never)
    assert told[0] == 256 and told[-1] == EXCERPTS
    whole = gathered(
        Collector(tiny.subject("gpt2"), tiny.table(EXCERPTS), Profile(), [0], 0), tmp_path / "whole"
    )
    assert same(list(resumed.merge(tmp_path)), whole)


def test_a_cancelled_shard_run_again_by_the_same_collector(tmp_path: Path) -> None:
    collector = Collector(tiny.subject("gpt2"), tiny.table(EXCERPTS), Profile(), [0], 0, block=40)
    assert collector.run_shard(0, tmp_path, silent, never)
    asked: list[int] = []
    assert not collector.run_shard(1, tmp_path, asked.append, lambda: len(asked) > 8)
    assert collector.run_shard(1, tmp_path, silent, never)
    assert collector.run_shard(2, tmp_path, silent, never)
    whole = gathered(
        Collector(tiny.subject("gpt2"), tiny.table(EXCERPTS), Profile(), [0], 0), tmp_path / "whole"
    )
    assert same(list(collector.merge(tmp_path)), whole)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_model_is_run_no_further_than_the_last_layer_that_is_asked_for(kind: str, tmp_path: Path) -> None:
    subject, table = tiny.subject(kind), tiny.table(40)
    both = gathered(Collector(subject, table, Profile(), range(2), 0), tmp_path / "both")
    passed: list[int] = []
    handles = [
        site.output.register_forward_hook(lambda *_, layer=layer: passed.append(layer))
        for layer, site in enumerate(subject.sites)
    ]
    first = gathered(Collector(subject, table, Profile(), [0], 0), tmp_path / "first")
    assert passed == []  # not even the rest of its own MLP
    second = gathered(Collector(subject, table, Profile(), [1], 0), tmp_path / "second")
    assert set(passed) == {0}
    for handle in handles:
        handle.remove()
    assert same(first + second, both)


def test_parts_of_another_collection_are_refused(tmp_path: Path) -> None:
    subject, table = tiny.subject("gpt2"), tiny.table(40)
    gathered(Collector(subject, table, Profile(), [0], 0), tmp_path)
    others = [
        Collector(subject, table, Profile(), [0], 1),
        Collector(subject, tiny.table(40, seed=1), Profile(), [0], 0),
        Collector(subject, table, replace(Profile(), dev=Quota(4, 0, 0, 5)), [0], 0),
        Collector(replace(subject, card=replace(subject.card, revision="1")), table, Profile(), [0], 0),
    ]
    for other in others:
        with pytest.raises(Conflict, match="another collection"):
            other.run_shard(0, tmp_path, silent, never)
        with pytest.raises(Conflict, match="another collection"):
            next(other.merge(tmp_path))


@pytest.mark.parametrize("harm", ["torn", "bit", "empty", "other"])
def test_a_damaged_part_is_named(tmp_path: Path, harm: str) -> None:
    collector = Collector(tiny.subject("gpt2"), tiny.table(40), Profile(), [0], 0)
    assert collector.run(tmp_path, silent, never)
    path = shard_path(tmp_path, 0)
    data = path.read_bytes()
    flipped = data[:-1000] + bytes([data[-1000] ^ 1]) + data[-999:]
    path.write_bytes({"torn": data[:5000], "bit": flipped, "empty": b"", "other": b"text" * 999}[harm])
    with pytest.raises(StoreError, match=r"shard-00000\.safetensors is damaged"):
        next(collector.merge(tmp_path))


def test_bad_requests() -> None:
    subject: Subject = tiny.subject("gpt2")
    with pytest.raises(BadInput, match="layers 0 to 1"):
        Collector(subject, tiny.table(40), Profile(), [0, 2], 0)
    with pytest.raises(BadInput, match=r"asked for 2, 3, 4, 5, 6, …\."):
        Collector(subject, tiny.table(40), Profile(), range(9999), 0)
    with pytest.raises(BadInput, match="no excerpts"):
        table = tiny.table(3)
        empty = replace(
            table,
            tokens=table.tokens[:0],
            documents=table.documents[:0],
            splits=table.splits[:0],
            starts=table.starts[:0],
        )
        Collector(subject, empty, Profile(), [0], 0)


def test_shards_of_several_runs_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.subject import collect

    monkeypatch.setattr(collect, "RUN", 48)
    table = tiny.table(48 * 9 + 5)

    def collector() -> Collector:
        return Collector(tiny.subject("llama"), table, Profile(), range(2), 7)

    plain = collector()
    assert plain.shards() == 10
    one = gathered(plain, tmp_path / "one")
    monkeypatch.setattr(collect, "SHARDS", 3)
    joined = collector()
    assert [joined.shard_size(i) for i in range(joined.shards())] == [144, 144, 144, 5]
    assert joined.fingerprint() != plain.fingerprint()  # parts of one must not pass for the other's
    seen: list[int] = []
    joined.run_shard(1, tmp_path / "joined", seen.append, never)
    assert seen == sorted(set(seen)) and seen[-1] == 144
    assert same(one, gathered(joined, tmp_path / "joined"))
    monkeypatch.setattr(Collector, "_fitting", lambda self: 20)  # blocks smaller than a run
    assert same(one, gathered(collector(), tmp_path / "little"))
