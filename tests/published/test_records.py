"""A published file is read as it is, in all forms that were seen, or passed over with its reason."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from app.domain.exact_values import TYPES, exact
from app.domain.neurons import Kind
from app.published import records, relations, simulations
from app.published.excerpts import Seen
from app.published.reading import Unreadable
from tests.published_world import WORDS, World


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_a_record_is_read_whole() -> None:
    given = World().record(3, 7)
    seen = Seen()
    found = records.parse(dumped(given), 3, 7, seen)
    assert found.statistics == (given["mean"], given["variance"], given["skewness"], given["kurtosis"])
    assert found.boundaries == tuple(given["quantile_boundaries"])
    values = exact(found.form, np.frombuffer(found.block, TYPES[found.form]).reshape(-1, 64))
    top = [row["activations"] for row in given["most_positive_activation_records"]]
    kinds = np.frombuffer(found.kinds, np.uint8)
    assert values[kinds == Kind.TOP].tolist() == top
    assert [int((kinds == kind).sum()) for kind in Kind] == [20, 0, 2, 2, 2, 2, 20, 2, 0]
    assert found.maximum == max(max(row) for row in top) or found.maximum == values.max()
    texts = list(seen.fresh().values())
    assert given["random_sample"][0]["tokens"] in texts and seen.fresh() == {}


def change(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda record: record.update(changes)


WILD: dict[str, Callable[[dict[str, Any]], None]] = {
    "layer as text": lambda r: r["neuron_id"].update(layer_index="3"),
    "no dataclass names": lambda r: [r.pop("dataclass_name"), r["neuron_id"].pop("dataclass_name")],
    "older names": lambda r: r.update(neuron_id={"layer": 3, "unit": 7}),
    "oldest names": lambda r: r.update(idx={"layer": 3, "idx": 7}, neuron_id=None),
    "no neuron_id around it": lambda r: [r.pop("neuron_id"), r.update(layer="3", neuron=7)],
    "null for NaN": change(mean=None, variance=None, skewness=None, kurtosis=None),
    "NaN as Python writes it": change(skewness=float("nan")),
    "no quantile records": change(random_sample_by_quantile=None, quantile_boundaries=[]),
    "ten random records": lambda r: r.update(random_sample=r["random_sample"][:10]),
    "integers": lambda r: r["random_sample"][0].update(activations=[0] * 64),
    "half a character": lambda r: r["random_sample"][0]["tokens"].__setitem__(0, "\ud83d"),
}


@pytest.mark.parametrize("name", WILD)
def test_what_was_seen_in_the_wild_is_read(name: str) -> None:
    given = World().record(3, 7)
    WILD[name](given)
    assert records.parse(dumped(given), 3, 7, Seen()).neuron == 7


BAD: list[tuple[str, Callable[[dict[str, Any]], None]]] = [
    (r"is of layer 2, neuron 7", lambda r: r["neuron_id"].update(layer_index=2)),
    (r"which neuron", lambda r: r["neuron_id"].update(neuron_index="seven")),
    (r"another kind: NeuronSimulationResults", change(dataclass_name="NeuronSimulationResults")),
    (
        r"no activation record",
        change(most_positive_activation_records=[], random_sample=[], random_sample_by_quantile=[]),
    ),
    (r"NaN or infinite", lambda r: r["random_sample"][1]["activations"].__setitem__(5, float("nan"))),
    (r"NaN or infinite", lambda r: r["random_sample"][1]["activations"].__setitem__(5, float("inf"))),
    (r"beyond what a float32", lambda r: r["random_sample"][1]["activations"].__setitem__(5, 1e39)),
    (r"63 activations for 64 tokens", lambda r: r["random_sample"][1]["activations"].pop()),
    (r"other numbers of tokens", lambda r: r["random_sample"][1]["tokens"].pop()),
    (r"are no numbers", lambda r: r["random_sample"][1]["activations"].__setitem__(5, "high")),
    (r"are no numbers", lambda r: r["random_sample"][1]["activations"].__setitem__(5, None)),
    (r"without activations", lambda r: r["random_sample"][1].pop("activations")),
    (r"without tokens", lambda r: r["random_sample"][1].pop("tokens")),
    (r"token that is no text", lambda r: r["random_sample"][1]["tokens"].__setitem__(5, 7)),
    (r"infinite variance", change(variance=float("inf"))),
    (r"for its mean", change(mean="a lot")),
    (r"3 quantile boundaries", change(quantile_boundaries=[1, 2, 3])),
    (r"6 quantile buckets", change(random_sample_by_quantile=[[]] * 6)),
    (r"where records should be", change(random_sample="many")),
]


@pytest.mark.parametrize(("words", "spoil"), BAD)
def test_a_bad_record_is_passed_over_with_its_reason(
    words: str, spoil: Callable[[dict[str, Any]], None]
) -> None:
    given = World().record(3, 7)
    spoil(given)
    with pytest.raises(Unreadable, match=words) as caught:
        records.parse(dumped(given), 3, 7, Seen())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
        (b"<?xml version='1.0'?><Error><Code>BlobNotFound</Code></Error>", "web page or XML"),
        (b"\x1f\x8b\x08\x00\x00", "is not UTF-8|is no JSON"),
        (b"[1, 2", "cut short"),
        (b"[]", "a list where"),
        (b"null", "nothing where"),
        (b'{"a": 1}', "which layer"),
        (b"[" * 100_000, "is no JSON|cut short"),
    ],
)
def test_what_is_no_record_is_passed_over(data: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        records.parse(data, 3, 7, Seen())


def test_a_file_cut_anywhere_is_passed_over() -> None:
    whole = dumped(World().record(3, 7))
    for at in (1, 100, len(whole) // 2, len(whole) - 1):
        with pytest.raises(Unreadable, match=r"cut short|is no JSON"):
            records.parse(whole[:at], 3, 7, Seen())


def test_files_that_say_the_same_have_one_mark_whatever_their_form() -> None:
    given = World().record(3, 7)
    mark = records.parse(dumped(given), 3, 7, Seen()).mark
    turned = dict(reversed(list(given.items())))
    assert records.parse(json.dumps(turned, indent=2).encode(), 3, 7, Seen()).mark == mark
    given["random_sample"][3]["activations"][9] += 0.5
    assert records.parse(dumped(given), 3, 7, Seen()).mark != mark


def test_explanations_with_simulations_are_read() -> None:
    world = World()
    record = world.record(3, 7)
    found = simulations.parse(dumped(world.results(record, (" one", "two"))), 3, 7, Seen())
    assert [each.text for each in found.explained] == [" one", "two"]
    first = found.explained[0]
    assert first.given == (True, True, True) and np.isnan(first.scores[2])
    assert first.simulation is not None and first.simulation.expected.shape == (10, 64)
    top = record["most_positive_activation_records"][2]["activations"]
    assert first.simulation.actual[0].tolist() == top


def test_older_names_of_explanations_are_read() -> None:
    world = World()
    given = world.results(world.record(3, 7))
    given["scored_explanation_or_baseline_list"] = given.pop("scored_explanations")
    entry = given["scored_explanation_or_baseline_list"][0]
    entry["explanation_or_baseline"] = entry.pop("explanation")
    for sequence in entry["scored_simulation"]["scored_sequence_simulations"]:
        sequence["sequence_simulation"] = sequence.pop("simulation")
    baseline = {"explanation_or_baseline": {"tokens": [" a"], "average_activations": [1.0]}}
    given["scored_explanation_or_baseline_list"].append(baseline)
    found = simulations.parse(dumped(given) + b"\n\n", 3, 7, Seen())
    assert [each.text for each in found.explained] == [" words about shops"] and found.baselines == 1


@pytest.mark.parametrize(
    ("words", "spoil"),
    [
        ("no list of scored", lambda r: r.pop("scored_explanations")),
        ("without a word", lambda r: r["scored_explanations"][0].update(explanation="  ")),
        (
            "true activations for 64",
            lambda r: r["scored_explanations"][0]["scored_simulation"]["scored_sequence_simulations"][0][
                "true_activations"
            ].pop(),
        ),
        ("is of layer", lambda r: r["neuron_id"].update(layer_index=4)),
    ],
)
def test_bad_explanations_are_passed_over(words: str, spoil: Callable[[dict[str, Any]], Any]) -> None:
    world = World()
    given = world.results(world.record(3, 7))
    spoil(given)
    with pytest.raises(Unreadable, match=words):
        simulations.parse(dumped(given), 3, 7, Seen())


def test_relations_are_read_or_passed_over() -> None:
    world, seen = World(), Seen()
    table = world.token_table()
    found = json.loads(relations.parse_activation_tokens(dumped(table), 3, 7, seen).data)
    assert found == {"tokens": WORDS[:5], "average_activations": table["average_activations"]}
    weights = json.loads(relations.parse_weight_tokens(dumped(world.weights()), 3, 7, seen).data)
    assert weights["input_positive"]["strengths"] == [3.5, 2.25, 1.0] and weights["output_negative"] is None
    neurons = json.loads(relations.parse_weight_neurons(dumped(world.related(0)), 3, 7, seen).data)
    assert neurons["c_fc"] is None and neurons["c_proj"]["top_positive_neurons"] == ["1_3", "0_7"]
    for bad, words in (
        ({**table, "average_activations": [1.0]}, "1 average_activations for 5 tokens"),
        ({**table, "average_activations": [float("nan")] * 5}, "NaN"),
        ({"tokens": "a"}, "no average_activations|without tokens"),
    ):
        with pytest.raises(Unreadable, match=words):
            relations.parse_activation_tokens(dumped(bad), 3, 7, seen)
    with pytest.raises(Unreadable, match="LAYER_NEURON"):
        relations.parse_weight_neurons(
            dumped({"c_fc": {"top_positive_neurons": ["x"], "top_positive_weights": [1]}}), 3, 7, seen
        )
