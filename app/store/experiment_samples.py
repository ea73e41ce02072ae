"""The neurons that samples of an experiment or a study draw from what the store holds."""

from collections.abc import Sequence

import numpy as np

from app.domain import experiment_sampling
from app.domain.experiment_sampling import LayerPool
from app.domain.experiments import BY_NAME, BY_SCORE, Rule, SampleRule
from app.domain.neurons import Float64, NeuronRef
from app.errors import AppError, BadInput
from app.store import kept_names, list_samples, names, sql
from app.store import tables as t
from app.store.experiments import Chosen
from app.store.session import Session
from app.store.types import METRICS, PROTOCOLS, SAMPLES

_MAXIMUM = (
    "SELECT neuron, max(value) FROM best_scores WHERE part_id = ? AND protocol = ? AND sample = ? AND metric = ?"
    " AND value IS NOT NULL"
)


def draw(
    s: Session, samples: Sequence[SampleRule], models: Sequence[str]
) -> tuple[list[Chosen], list[str], list[str]]:
    """(the sample, each neuron once; what was less than asked for; what is wrong), the last two in words.

    `models` are slugs; empty: those of the neurons that are named or listed. A list is frozen as a sample when it is drawn, so `s` must be a session that may write.
    """
    groups: dict[NeuronRef, int] = {}
    short: list[str] = []
    wrong: list[str] = []
    for i, rule in enumerate(samples):
        try:
            found, words = _by_rule(s, models, rule)
        except AppError as error:
            wrong.append(f"sample {i + 1} ({rule.label}): {str(error).rstrip('.')}.")
            continue
        short += words
        if not found:
            wrong.append(f"sample {i + 1} ({rule.label}) is empty: no neuron meets its rule.")
        for ref in found:
            groups[ref] = groups.get(ref, 0) | 1 << i
    return [Chosen(ref, bits) for ref, bits in groups.items()], short, wrong


def _by_rule(
    s: Session, models: Sequence[str], rule: SampleRule
) -> tuple[Sequence[NeuronRef], Sequence[str]]:
    if rule.rule is Rule.NEURONS:
        refs = [named(s, text) for text in rule.neurons]
    elif rule.rule is Rule.LIST:
        kept = list_samples.freeze(s, rule.list) if rule.list else list_samples.get(s, rule.digest)
        by_key = kept_names.refs_of(s, kept.keys)
        refs = [by_key[key] for key in kept.keys if key in by_key]
    if rule.rule in BY_NAME:
        wanted = [ref for ref in refs if not models or ref.model in models]
        return _there(s, wanted)
    drawn: list[NeuronRef] = []
    short: list[str] = []
    for model in models:
        pools = _pools(s, model, rule)
        found = experiment_sampling.draw(rule, pools)
        drawn += found.neurons
        short += found.short
    return drawn, short


def named(s: Session, text: str) -> NeuronRef:
    """The neuron that `model/layer/index` names. BadInput where it names none, NotFound where the store has not got it."""
    parts = text.split("/")
    if len(parts) != 3 or not (parts[2].isascii() and parts[2].isdigit() and len(parts[2]) < 9):
        raise BadInput(f"“{text[:80]}” names no neuron: write model/layer/index, such as gpt2/5-mlp/131")
    ref = NeuronRef(parts[0], parts[1], int(parts[2]))
    kept_names.key_of(s, ref)
    return ref


def _there(s: Session, refs: Sequence[NeuronRef]) -> tuple[Sequence[NeuronRef], Sequence[str]]:
    """Those that the store holds records of now."""
    held: dict[tuple[str, str], set[int]] = {}
    for ref in refs:
        held.setdefault((ref.model, ref.layer), set()).add(ref.index)
    for place, indices in held.items():
        held[place] = kept_names.present(s, names.part(s, *place).id, indices)
    kept = [ref for ref in refs if ref.index in held[ref.model, ref.layer]]
    gone = len(refs) - len(kept)
    return kept, [f"{gone} neurons of the list are no longer in the store"] if gone else []


def _pools(s: Session, model: str, rule: SampleRule) -> list[LayerPool]:
    parts = names.parts_of(s, model)
    unknown = [slug for slug in rule.layers if slug not in {part.slug for part in parts}]
    if unknown:
        names.part(s, model, unknown[0])  # raises the NotFound that says what there is
    return [
        LayerPool(model, part.slug, part.ordinal, *_layer(s, part, rule))
        for part in parts
        if not rule.layers or part.slug in rule.layers
    ]


def _layer(s: Session, part: names.PartName, rule: SampleRule) -> tuple[experiment_sampling.Indices, Float64]:
    """(indices that are there, their score by the rule's measure)."""
    first = names.neuron_id(part.id, 0)
    last = names.neuron_id(part.id + 1, 0)
    ids = sql.rows(s, f"SELECT id FROM {t.neurons.name} WHERE id >= ? AND id < ? ORDER BY id", (first, last))  # noqa: S608
    indices = np.array([row[0] for row in ids], np.int64) - first
    scores = np.full(len(indices), np.nan)
    if rule.rule not in BY_SCORE:
        return indices, scores
    measure = rule.measure
    query = _MAXIMUM
    asked = [part.id, PROTOCOLS[measure.protocol], SAMPLES[measure.sample], METRICS[measure.metric]]
    if rule.method:
        query += " AND method_id = (SELECT id FROM methods WHERE name = ?)"
    values = sql.rows(s, f"{query} GROUP BY neuron", (*asked, rule.method) if rule.method else asked)
    best = {int(row[0]): float(row[1]) for row in values}
    return indices, np.array([best.get(int(i), np.nan) for i in indices])
