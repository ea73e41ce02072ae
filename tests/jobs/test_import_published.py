"""Importing published data: as it was published, whole or not at all, from wherever it stopped."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import Kind, NeuronRef, Polarity, Split
from app.domain.published import digest_of
from app.errors import BadInput, NotFound, SourceError
from app.jobs import export_published, import_published
from app.jobs.import_published import ImportRequest, Progress, Report
from app.published import records
from app.published.excerpts import Seen
from app.published.layout import What
from app.store import (
    Store,
    excerpts,
    explanations,
    imported_neurons,
    models,
    neurons,
    published,
    search,
    sheets,
    simulations,
)
from app.store.excerpts import ExcerptCache
from app.store.imported_neurons import Shape
from app.store.library import Library
from tests.published.server import serving
from tests.published_world import World, put

MODEL = "pub-tiny"
LAYERS, NEURONS = 2, 10


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Published files of a small model."""
    root = tmp_path_factory.mktemp("published")
    World(LAYERS, NEURONS).write(root)
    return root


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that fails is asked again sooner."""
    monkeypatch.setattr("app.published.source.FIRST_PAUSE_S", 0.01)


def quiet(at: Progress) -> None:
    assert 0 <= at.done <= at.total


def request(source: object, **options: Any) -> ImportRequest:
    return ImportRequest(str(source), MODEL, shape=Shape(LAYERS, NEURONS), **options)


def imported(store: Store, source: object, *, processes: int = 0, **options: Any) -> Report:
    """With processes of its own only where they are what is tested: starting one takes most of a second."""
    return import_published.run(store, request(source, **options), quiet, processes)


def exported(store: Store, folder: Path) -> dict[str, Any]:
    """Every file that the store writes, by path."""
    export_published.run(store, MODEL, folder, tuple(What), (), (), lambda n: None)
    return {str(f.relative_to(folder)): json.loads(f.read_bytes()) for f in sorted(folder.rglob("*.json*"))}


def canonical(path: str, value: Any) -> Any:
    """A published file without what is not kept: distributions over values, and scores of single sequences."""
    if path.startswith("data/explanations"):
        for entry in value["scored_explanations"]:
            for sequence in entry["scored_simulation"]["scored_sequence_simulations"]:
                del sequence["ev_correlation_score"]
                del sequence["simulation"]["distribution_values"]
                del sequence["simulation"]["distribution_probabilities"]
    return value


def test_everything_comes_in_and_out_again_as_it_was(store: Store, source: Path, tmp_path: Path) -> None:
    report = imported(store, source, processes=2)
    assert report.read == 5 * LAYERS * NEURONS and not report.skipped and not report.missing
    assert report.new["activations"] == report.new["explanations"] == report.new["simulations"] == 20
    files = exported(store, tmp_path)
    there = sorted(str(f.relative_to(source)) for f in source.rglob("*.json*"))
    assert sorted(files) == there
    for path in there:
        assert files[path] == canonical(path, json.loads((source / path).read_bytes())), path


def test_pages_read_what_was_published(store: Store, source: Path) -> None:
    imported(store, source)
    given_ = json.loads((source / "data/collated-activations/1/4.json").read_bytes())
    cached = ExcerptCache.get(store, MODEL)
    ref = NeuronRef(MODEL, "1-mlp", 4)
    vocabulary = models.cached_vocabulary(store, MODEL)
    with store.session() as s:
        found = sheets.sheet(s, cached, ref)
        simulated = simulations.of_explanation(s, found.explanations[0].id)
    top = found.records.where((Kind.TOP,))
    assert set(found.records.splits.tolist()) == {Split.UNSPLIT} and set(
        found.records.documents.tolist()
    ) == {-1}
    for row, record in zip(range(len(top)), given_["most_positive_activation_records"], strict=True):
        assert [vocabulary.pieces[i].decode() for i in top.tokens[row]] == record["tokens"]
        assert top.activations[row].tolist() == pytest.approx(record["activations"], rel=1e-3, abs=1e-4)
    assert found.statistics.mean == given_["mean"]
    assert found.statistics.maximum == pytest.approx(found.records.activations.max(), abs=1e-3)
    assert (found.before, found.after) == (3, 5) and len(found.relations) == 3
    results = json.loads((source / "data/explanations/1/4.jsonl").read_bytes())["scored_explanations"][0]
    (said,) = found.explanations
    assert said.text == results["explanation"] and said.provenance.explainer == "gpt-4"
    by = {(x.value.sample, x.value.metric): x for x in said.scores}
    published_ = results["scored_simulation"]
    score = by[Sample.TOP_AND_RANDOM, Metric.CORRELATION]
    assert (
        score.value.value == published_["ev_correlation_score"] and score.value.protocol is Protocol.BILLS_5_5
    )
    assert score.simulator_model == "text-davinci-003" and score.simulation_id == simulated[0].id
    undefined = by[Sample.TOP_AND_RANDOM, Metric.ABS_DEV_EXPLAINED].value
    assert (undefined.state, undefined.value) == (State.FAILED, None) and "undefined" in undefined.reason
    sequences = published_["scored_sequence_simulations"]
    assert simulated[0].simulated is not None and simulated[0].actual is not None
    assert simulated[0].actual[0].tolist() == pytest.approx(sequences[0]["true_activations"], abs=1e-6)
    # Counted on the random records alone, as the paper counts: the last five.
    a = np.concatenate([x["true_activations"] for x in sequences[5:]])
    e = np.concatenate([x["simulation"]["expected_activations"] for x in sequences[5:]])
    random_only = by[Sample.RANDOM_ONLY, Metric.CORRELATION].value
    assert random_only.value == pytest.approx(np.corrcoef(a, e)[0, 1]) and random_only.n_records == 5


def test_an_excerpt_is_stored_once(store: Store, source: Path) -> None:
    imported(store, source, what=(What.ACTIVATIONS,))
    with store.session() as s:
        table = excerpts.read(s, MODEL, ExcerptCache.get(store, MODEL).collection_id)
    assert len(np.unique(table.tokens, axis=0)) == len(table.tokens) <= 300


def test_again_reads_nothing_and_adds_nothing(store: Store, source: Path, tmp_path: Path) -> None:
    imported(store, source)
    before = exported(store, tmp_path / "before")
    again = imported(store, source)
    assert (again.read, again.passed, again.new.total()) == (0, 5 * LAYERS * NEURONS, 0)
    # From another place the same files are read, and found there.
    other = imported(store, f"{source}/data")
    assert other.new.total() == 0 and other.same == 5 * LAYERS * NEURONS and not other.skipped
    assert exported(store, tmp_path / "after") == before
    with store.session() as s:
        assert len(explanations.of_neuron(s, NeuronRef(MODEL, "0-mlp", 0))) == 1


def test_part_by_part_is_the_same_as_all_at_once(store: Store, source: Path, tmp_path: Path) -> None:
    imported(store, source, layers=(1,), neurons=(2, 5), what=(What.EXPLANATIONS, What.SIMULATIONS))
    with store.session() as s:
        layer = models.layer(s, MODEL, "1-mlp")
        assert (layer.neurons, layer.width) == (2, NEURONS)
        assert neurons.random_ref(s, MODEL).index in (2, 5)
        with pytest.raises(NotFound, match=r"neuron 3 of layer .* was not imported"):
            sheets.sheet(s, ExcerptCache.get(store, MODEL), NeuronRef(MODEL, "1-mlp", 3))
        alone = sheets.sheet(s, ExcerptCache.get(store, MODEL), NeuronRef(MODEL, "1-mlp", 2))
        assert len(alone.records) == 0 and alone.before is None and alone.after == 5
        assert np.isnan(alone.statistics.mean)
        page = neurons.page(s, MODEL, "1-mlp")
        assert [row.index for row in page.items] == [2, 5] and page.total == 2
        assert [hit.ref.index for hit in search.find(store, s, MODEL, search.Wanted(), limit=50).items] == [
            2,
            5,
        ]
    imported(store, source, layers=(1,), what=(What.ACTIVATIONS,))
    with store.session() as s:
        assert search.find(store, s, MODEL, search.Wanted(), limit=50).total == NEURONS
    imported(store, source)
    found = exported(store, tmp_path / "parts")
    for path, value in found.items():
        assert value == canonical(path, json.loads((source / path).read_bytes())), path
    assert len(found) == 5 * LAYERS * NEURONS


def test_bad_files_are_passed_over_and_the_rest_comes_in(store: Store, tmp_path: Path) -> None:
    world = World(1, 10)
    world.write(tmp_path)
    folder = "data/collated-activations/0"
    whole = (tmp_path / folder / "1.json").read_bytes()
    put(tmp_path, f"{folder}/1.json", whole[: len(whole) // 2])
    put(tmp_path, f"{folder}/2.json", b"")
    put(tmp_path, f"{folder}/3.json", b"<!doctype html><p>not here</p>")
    (tmp_path / folder / "4.json").unlink()
    put(tmp_path, f"{folder}/5.json", world.record(0, 6))
    short = world.record(0, 7)
    for kind in ("most_positive_activation_records", "random_sample"):
        short[kind] = [
            {**r, "tokens": r["tokens"][:32], "activations": r["activations"][:32]} for r in short[kind]
        ]
    short["random_sample_by_quantile"] = None
    put(tmp_path, f"{folder}/7.json", short)
    report = import_published.run(
        store, ImportRequest(str(tmp_path), MODEL, (What.ACTIVATIONS,), shape=Shape(1, 10)), quiet, 0
    )
    assert report.new["activations"] == 4 and report.missing == 1
    reasons = {Path(path).stem: reason for path, reason in report.skipped}
    assert set(reasons) == {"1", "2", "3", "5", "7"}
    for stem, words in (
        ("1", "cut short"),
        ("2", "empty"),
        ("3", "web page"),
        ("5", "neuron 6"),
        ("7", "32 tokens"),
    ):
        assert words in reasons[stem]
    with store.session() as s:
        assert models.layer(s, MODEL, "0-mlp").neurons == 4
    # Mended files come in the next time; what was read whole stays.
    world.write(tmp_path)
    again = import_published.run(
        store, ImportRequest(str(tmp_path), MODEL, (What.ACTIVATIONS,), shape=Shape(1, 10)), quiet, 0
    )
    assert again.new["activations"] == 6 and {r.partition(" what")[0] for _, r in again.skipped} <= {
        "says something else than"
    }


def test_files_that_disagree_leave_the_store_as_it_was(store: Store, source: Path, tmp_path: Path) -> None:
    imported(store, source)
    before = exported(store, tmp_path / "before")
    World(LAYERS, NEURONS, seed=1).write(tmp_path / "other")
    report = imported(store, tmp_path / "other", what=(What.ACTIVATIONS, What.TOKENS))
    assert report.new["activations"] == 0 and len(report.skipped) >= LAYERS * NEURONS
    assert all("something else than what is stored" in reason for _, reason in report.skipped)
    assert exported(store, tmp_path / "after") == before


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"layers": (2,)}, BadInput, "layers 0 to 1"),
        ({"neurons": (9, 10)}, BadInput, "0 to 9"),
        ({"source": "/nowhere/at/all"}, BadInput, "no folder"),
        ({"source": "ftps://host/x"}, BadInput, "nothing here reads ftps"),
        ({"shape": None}, BadInput, "--shape"),
        ({"shape": Shape(0, 5)}, BadInput, "0 layers"),
    ],
)
def test_a_wrong_request_changes_nothing(
    store: Store, source: Path, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    asked = ImportRequest(
        **{"source": str(source), "model": MODEL, "shape": Shape(LAYERS, NEURONS), **options}
    )
    with pytest.raises(error, match=words):
        import_published.run(store, asked, quiet, processes=0)
    with store.session() as s:
        assert models.models(s) == []


def test_a_folder_without_published_data_is_said_so(store: Store, tmp_path: Path) -> None:
    put(tmp_path, "data/other/0/0.json", {})
    with pytest.raises(
        NotFound, match=r"holds no published data of pub-tiny: there is no data/collated-activations/0/0"
    ):
        imported(store, tmp_path)
    with store.session() as s:
        assert models.models(s) == []


def test_activations_do_not_go_into_a_model_of_our_own(full: Any, source: Path) -> None:
    store, tiny = full
    asked = ImportRequest(str(source), tiny.slug, shape=None)
    with pytest.raises(BadInput, match="was collected here"):
        import_published.run(store, asked, quiet, processes=0)


@settings(max_examples=40)  # each makes a store
@given(data=st.data())
def test_any_record_survives(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    store = Store.open(f"sqlite:///{folder / 'store.sqlite'}")
    width = data.draw(st.integers(1, 5))
    value = st.floats(-1e38, 1e38) | st.floats(-60000, 60000, width=16).map(lambda x: float(f"{x:.4f}"))
    record = st.fixed_dictionaries(
        {
            "dataclass_name": st.just("ActivationRecord"),
            "tokens": st.lists(st.text(st.characters(), max_size=3), min_size=width, max_size=width),
            "activations": st.lists(value, min_size=width, max_size=width),
        }
    )
    some = st.lists(record, max_size=3)
    number = st.none() | st.floats(allow_nan=False, allow_infinity=False)
    given_ = data.draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "dataclass_name": st.just("NeuronRecord"),
                    "random_sample": some,
                    "random_sample_by_quantile": st.lists(some, min_size=5, max_size=5).filter(any)
                    | st.just([]),
                    "quantile_boundaries": st.lists(number, min_size=4, max_size=4).filter(
                        lambda x: any(y is not None for y in x)
                    )
                    | st.just([]),
                    "mean": number,
                    "variance": number,
                    "skewness": number,
                    "kurtosis": number,
                    "most_positive_activation_records": st.lists(record, min_size=1, max_size=25),
                }
            ),
            min_size=1,
            max_size=3,
        )
    )
    for i, each in enumerate(given_):
        each["neuron_id"] = {"dataclass_name": "NeuronId", "layer_index": 0, "neuron_index": i}
    seen = Seen()
    parsed = [records.parse(json.dumps(each).encode(), 0, i, seen) for i, each in enumerate(given_)]
    with store.session() as s:
        into = imported_neurons.ensure_model(s, MODEL, Shape(1, 5))
        library = Library(into)
        library.begin(s)
        library.tell(seen.fresh())
        assert published.write_records(s, into, library, 0, parsed).new == len(given_)
        library.save(s)
    files = exported(store, folder / "out")
    store.close()
    for i, each in enumerate(given_):
        assert files[f"data/collated-activations/0/{i}.json"] == each


def test_a_session_that_fails_loses_no_excerpt(store: Store) -> None:
    world, seen = World(1, 4), Seen()
    parsed = [records.parse(json.dumps(world.record(0, i)).encode(), 0, i, seen) for i in range(2)]
    with store.session() as s:
        into = imported_neurons.ensure_model(s, MODEL, Shape(1, 4))
    library = Library(into)
    library.tell(seen.fresh())
    with pytest.raises(RuntimeError), store.session() as s:
        library.begin(s)
        published.write_records(s, into, library, 0, parsed)
        library.save(s)
        raise RuntimeError
    library.forget()
    with store.session() as s:
        library.begin(s)
        assert published.write_records(s, into, library, 0, parsed).new == 2
        library.save(s)
    with store.session() as s:
        found = neurons.records(s, ExcerptCache.get(store, MODEL), NeuronRef(MODEL, "0-mlp", 1))
    words = [p.decode() for p in models.cached_vocabulary(store, MODEL).pieces]
    assert {digest_of([words[i] for i in row]) for row in found.tokens} == {
        parsed[1].digests[at : at + 16] for at in range(0, len(parsed[1].digests), 16)
    }


def test_two_importers_at_once_keep_each_others_excerpts(store: Store) -> None:
    world, seens = World(2, 4), (Seen(), Seen())
    parsed = [
        [records.parse(json.dumps(world.record(layer, i)).encode(), layer, i, seens[layer]) for i in range(3)]
        for layer in (0, 1)
    ]
    with store.session() as s:
        into = imported_neurons.ensure_model(s, MODEL, Shape(2, 4))
    libraries = Library(into), Library(into)
    for i in range(3):
        for layer, library in enumerate(libraries):
            library.tell(seens[layer].fresh())
            with store.session() as s:
                library.begin(s)
                published.write_records(s, into, library, layer, parsed[layer][i : i + 1])
                library.save(s)
    words = [p.decode() for p in models.cached_vocabulary(store, MODEL).pieces]
    for layer in (0, 1):
        for i in range(3):
            with store.session() as s:
                found = neurons.records(
                    s, ExcerptCache.get(store, MODEL), NeuronRef(MODEL, f"{layer}-mlp", i)
                )
            digests = parsed[layer][i].digests
            told = {digests[at : at + 16] for at in range(0, len(digests), 16)}
            assert {digest_of([words[t] for t in row]) for row in found.tokens} == told


def test_a_web_server_that_misbehaves_for_a_while(store: Store, source: Path, tmp_path: Path) -> None:
    def fault(path: str, n: int) -> int:
        if path.endswith("/0/1.json") and n == 1:
            return 500
        if path.endswith("/0/2.json") and n <= 2:
            return 503
        if path.endswith("/1/3.json") and n == 1:
            return 0  # stalls
        return 404 if path.endswith("/1/5.json") else 200

    with serving(source, fault) as (address, asked):
        report = imported(store, f"{address}/", what=(What.ACTIVATIONS, What.EXPLANATIONS), stall_s=0.5)
    assert report.new["activations"] == 2 * NEURONS - 1 and report.new["explanations"] == 2 * NEURONS
    assert report.missing == 1 and not report.skipped
    assert asked["data/collated-activations/0/2.json"] > 2
    files = exported(store, tmp_path)
    assert "data/collated-activations/1/5.json" not in files and len(files) == 4 * NEURONS - 1


@pytest.mark.parametrize(
    ("status", "words"), [(403, r"refuses to give .*status 403"), (500, r"status 500, 4 times")]
)
def test_a_web_server_that_is_of_no_use(store: Store, source: Path, status: int, words: str) -> None:
    with serving(source, lambda path, n: status) as (address, asked), pytest.raises(SourceError, match=words):
        imported(store, address)
    assert max(asked.values()) <= 4
    with store.session() as s:
        assert models.models(s) == []


def test_one_file_that_never_comes_is_passed_over_and_asked_for_again_next_time(
    sqlite_store: Store, source: Path
) -> None:
    broken = [500]

    def fault(path: str, n: int) -> int:
        return broken[0] if path.endswith("/0/3.json") else 200

    with serving(source, fault) as (address, _):
        first = imported(sqlite_store, address, what=(What.ACTIVATIONS,), layers=(0,))
        assert first.failed == 1 and "status 500" in first.skipped[0].reason
        broken[0] = 200
        second = imported(sqlite_store, address, what=(What.ACTIVATIONS,), layers=(0,))
    assert second.new["activations"] == 1 and not second.skipped


_DRIVER = textwrap.dedent("""
    import sys
    from app.jobs import import_published
    from app.jobs.import_published import ImportRequest
    from app.store import Store
    from app.store.imported_neurons import Shape
    if __name__ == "__main__":
        import_published.CHUNK, import_published.BATCH_S = 3, 0.0
        store = Store.open(sys.argv[1])
        asked = ImportRequest(sys.argv[2], sys.argv[3], shape=Shape(2, 10))
        import_published.run(store, asked, lambda at: print(at.done, flush=True), processes=0)
        store.close()
        print("ended", flush=True)
""")


@pytest.mark.slow
def test_killed_at_twenty_moments_it_ends_as_if_never_stopped(
    tmp_path: Path, source: Path, sqlite_store: Store
) -> None:
    imported(sqlite_store, source)
    expected = exported(sqlite_store, tmp_path / "expected")
    driver = tmp_path / "driver.py"
    driver.write_text(_DRIVER)
    url = f"sqlite:///{tmp_path / 'killed.sqlite'}"
    command = [sys.executable, str(driver), url, str(source), MODEL]
    dice = random.Random(7)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    kills = 0
    while kills < 20:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
        assert process.stdout is not None
        # After so many reports, and then some: in the middle of a transaction as well as between two.
        for _ in range(dice.randrange(1, 4)):
            if "ended" in process.stdout.readline():
                break
        try:
            process.wait(dice.random() * 0.02)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        if process.wait(60) == 0:
            break
        kills += 1
    rest = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=True)
    assert rest.stdout.endswith("ended\n") and kills >= 10
    store = Store.open(url)
    assert exported(store, tmp_path / "killed") == expected
    with store.session() as s:
        for index in range(NEURONS):
            (said,) = explanations.of_neuron(s, NeuronRef(MODEL, "0-mlp", index))
            assert said.polarity is Polarity.POSITIVE and len(said.scores) == 4
            assert len(simulations.of_explanation(s, said.id)) == 1
    store.close()
