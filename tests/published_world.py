"""Files as Bills et al. published them, made here: small, random, of the same form."""

import json
from pathlib import Path
from typing import Any

import numpy as np

WORDS = [
    " the", " of", " store", "ing", " a", "\n", "\t", ".", ",", " 7", "é", "\ufffd", " Zürich", "😀", " \u202e", "\u200b",
    "<b>", "&", '"', " \x00", "   ", "ko", " kind", " Kansas",
]  # fmt: skip
T = 64


class World:
    """A model of `layers` x `neurons` and a corpus of `excerpts`, all of them from a seed."""

    def __init__(self, layers: int = 2, neurons: int = 10, excerpts: int = 300, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.layers, self.neurons = layers, neurons
        self.excerpts = [[WORDS[i] for i in row] for row in self.rng.integers(0, len(WORDS), (excerpts, T))]

    def record(
        self, layer: int, neuron: int, top: int = 20, random: int = 20, buckets: int = 2
    ) -> dict[str, Any]:
        """One NeuronRecord: float16 values with four decimals, as published."""
        chosen = self.rng.choice(len(self.excerpts), top + random + 5 * buckets, replace=False)
        values = self.rng.gamma(0.4, 1.2, (len(chosen), T)) - 0.17
        values = np.round(values.astype(np.float16).astype(np.float64), 4)
        order = np.argsort(-values[:top].max(1))
        rows = [
            {"dataclass_name": "ActivationRecord", "tokens": self.excerpts[e], "activations": v.tolist()}
            for e, v in zip(chosen, values, strict=True)
        ]
        return {
            "dataclass_name": "NeuronRecord",
            "neuron_id": {"dataclass_name": "NeuronId", "layer_index": layer, "neuron_index": neuron},
            "random_sample": rows[top : top + random],
            "random_sample_by_quantile": [
                rows[top + random + i * buckets : top + random + (i + 1) * buckets] for i in range(5)
            ],
            "quantile_boundaries": sorted(self.rng.normal(size=4).tolist()),
            "mean": float(self.rng.normal()),
            "variance": float(self.rng.gamma(1)),
            "skewness": float(self.rng.normal()) if neuron % 3 else None,
            "kurtosis": float(self.rng.gamma(3)),
            "most_positive_activation_records": [rows[i] for i in order],
        }

    def results(
        self, record: dict[str, Any], texts: tuple[str, ...] = (" words about shops",)
    ) -> dict[str, Any]:
        """NeuronSimulationResults on BILLS' five strong and five random records of a NeuronRecord."""
        top, random = record["most_positive_activation_records"], record["random_sample"]
        scored = [top[i] for i in (2, 6, 10, 14, 18)] + [random[i] for i in (1, 4, 7, 10, 13)]
        return {
            "dataclass_name": "NeuronSimulationResults",
            "neuron_id": record["neuron_id"],
            "scored_explanations": [self._scored(text, scored) for text in texts],
        }

    def _scored(self, text: str, records: list[dict[str, Any]]) -> dict[str, Any]:
        sequences = []
        for each in records:
            actual = np.array(each["activations"])
            expected = actual * 0.6 + self.rng.normal(size=T) * 0.2
            inner = {
                "dataclass_name": "SequenceSimulation",
                "tokens": each["tokens"],
                "expected_activations": expected.tolist(),
                "activation_scale": "neuron_activations",
                "distribution_values": [[0.0, 1.0]] * T,
                "distribution_probabilities": [[0.5, 0.5]] * T,
            }
            sequences.append(
                {
                    "dataclass_name": "ScoredSequenceSimulation",
                    "simulation": inner,
                    "true_activations": each["activations"],
                    "ev_correlation_score": 0.5,
                }
            )
        a = np.concatenate([s["true_activations"] for s in sequences])
        e = np.concatenate([s["simulation"]["expected_activations"] for s in sequences])
        return {
            "dataclass_name": "ScoredExplanation",
            "explanation": text,
            "scored_simulation": {
                "dataclass_name": "ScoredSimulation",
                "scored_sequence_simulations": sequences,
                "ev_correlation_score": float(np.corrcoef(a, e)[0, 1]),
                "rsquared_score": float(1 - ((a - e) ** 2).mean() / (a**2).mean()),
                "absolute_dev_explained_score": None,
            },
        }

    def write(self, root: Path, prefix: str = "data") -> None:
        """Every neuron's files below `root`."""
        for layer in range(self.layers):
            for neuron in range(self.neurons):
                record = self.record(layer, neuron)
                put(root, f"{prefix}/collated-activations/{layer}/{neuron}.json", record)
                put(root, f"{prefix}/explanations/{layer}/{neuron}.jsonl", self.results(record))
                put(
                    root,
                    f"{prefix}/related-tokens/activation-based/{layer}/{neuron}.json",
                    self.token_table(),
                )
                put(root, f"{prefix}/related-tokens/weight-based/{layer}/{neuron}.json", self.weights())
                put(root, f"{prefix}/related-neurons/weight-based/{layer}/{neuron}.json", self.related(layer))

    def token_table(self) -> dict[str, Any]:
        return {
            "dataclass_name": "TokenLookupTableSummaryOfNeuron",
            "tokens": WORDS[:5],
            "average_activations": np.sort(self.rng.gamma(1, size=5))[::-1].tolist(),
        }

    def weights(self) -> dict[str, Any]:
        side = {"dataclass_name": "TokensAndWeights", "tokens": WORDS[:3], "strengths": [3.5, 2.25, 1.0]}
        return {
            "dataclass_name": "WeightBasedSummaryOfNeuron",
            "input_positive": side,
            "input_negative": side,
            "output_positive": side,
            "output_negative": None,
        }

    def related(self, layer: int) -> dict[str, Any]:
        some = {"top_positive_neurons": ["1_3", "0_7"], "top_positive_weights": [1.5, 0.5]}
        return {"c_fc": some if layer else None, "c_proj": some}


def put(root: Path, path: str, value: Any) -> Path:
    """Write one file as JSON; bytes as they are."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return file
