"""What an experiment came to, as flat rows: what reports read."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, select

from app.domain.experiment_units import EXPLANATION
from app.domain.experiments import (
    SHOWN_EXCERPTS,
    WITHOUT_EXPLAINER,
    Arm,
    Scorer,
    behind,
    evidence_label,
)
from app.domain.explanations import Metric, Protocol, Sample, SimulatorName, State
from app.domain.neurons import NeuronRef
from app.domain.results import Result
from app.store import experiments
from app.store import tables as t
from app.store.experiment_rows import ExperimentRow, unit_key
from app.store.session import Session

EMBEDDER_TITLE = "embedder"  # under which titles say who embeds
LOCAL_TITLE = "local model"  # under which titles say who the local simulator is; "" there: the subject itself


class _Value(NamedTuple):
    protocol: Protocol
    sample: Sample
    metric: Metric
    state: State
    value: float | None
    reason: str
    floor: float | None = None


# Where a score's parameters say what chance gives.
_FLOORS = {Metric.AUPRC: "base_rate", Metric.EMBEDDING: "chance_floor"}


def results(s: Session, experiment_id: int) -> Sequence[Result]:
    """One row for every value that a unit was asked for and that has ended; units still to be done have none yet.

    A unit that failed, or had nothing to work on, has a row of the state FAILED for every value it was to give, with the
    reason. NotFound.
    """
    row = experiments.get(s, experiment_id)
    return _Reading(s, row).results()


def simulators(s: Session, row: ExperimentRow, scorer: Scorer) -> tuple[str, ...]:
    """What results by a scorer have as `simulator`: one, or where each model simulates itself one for each."""
    reading = _Reading(s, row)
    return tuple(dict.fromkeys(reading.by(scorer, model) for model in reading.names))


class _Reading:
    def __init__(self, s: Session, row: ExperimentRow) -> None:
        self.s = s
        self.row = row
        self.arms = row.definition.arms()
        self.scorers = row.definition.scorers()
        slugs = {each.ref.model for each in experiments.sample(s, row.id)}
        query = select(t.models.c.slug, t.models.c.name).where(t.models.c.slug.in_(slugs))
        self.names = {each.slug: each.name for each in s.execute(query)}

    def results(self) -> list[Result]:
        stored = self._scores()
        found: list[Result] = []
        made: Row[Any] | None = None
        for row in self.s.execute(self._units()):
            if row.scorer == EXPLANATION:  # its scores come right behind it
                made = row
                continue
            if not row.state.ended or made is None:
                continue
            scorer = self.scorers[row.scorer]
            values = stored.get(_key(self.row.id, row))
            if not values:
                reason = row.reason or "nothing was stored"
                values = [
                    _Value(scorer.protocol, sample, metric, State.FAILED, None, reason)
                    for sample, metric in scorer.gives()
                ]
            found += [self._result(made, row, scorer, value) for value in values if self._wanted(value)]
        return found

    def _wanted(self, value: _Value) -> bool:
        metrics = self.row.definition.metrics
        return not metrics or value.metric in metrics

    def _result(self, made: Row[Any], row: Row[Any], scorer: Scorer, value: _Value) -> Result:
        arm = self.arms[row.arm]
        return Result(
            ref=NeuronRef(row.model, row.layer, row.neuron),
            layer=row.layer_ordinal,
            polarity=self.row.definition.polarity,
            method=arm.method.value,
            explainer=self.row.titles.get(arm.explainer, arm.explainer) if arm.explainer else "none",
            evidence=_evidence(arm),
            arm=arm.name,
            seed=row.seed,
            simulator=self.by(scorer, row.model),
            protocol=value.protocol,
            sample=value.sample,
            metric=value.metric,
            state=value.state,
            value=value.value,
            reason=value.reason,
            explanation_id=made.explanation_id,
            text=made.text or "",
            # All calls behind one statement send the same prompt, also where an answer was no use.
            prompt_tokens=round(made.said_tokens_in / made.said_calls) if made.said_calls else 0,
            tokens_in=made.tokens_in + row.tokens_in,
            tokens_out=made.tokens_out + row.tokens_out,
            cost_usd=made.cost_usd + row.cost_usd,
            explain_seconds=made.seconds,
            score_seconds=row.seconds,
            floor=value.floor,
            explain_cost_usd=made.cost_usd,
        )

    def by(self, scorer: Scorer, model: str) -> str:
        title = self.row.titles.get(scorer.endpoint, scorer.endpoint)
        if scorer.metric is Metric.EMBEDDING:
            return self.row.titles.get(EMBEDDER_TITLE, "")
        if scorer.metric is Metric.ABLATION:
            index = behind(self.row.definition, scorer)
            return "" if index is None else self.by(self.scorers[index], model)
        if scorer.simulator is None:
            return title
        if scorer.simulator is SimulatorName.LOCAL:
            title = self.row.titles.get(LOCAL_TITLE, "") or self.names.get(model, model)
        return f"{scorer.simulator} / {title}" if title else scorer.simulator.value

    def _units(self) -> Any:
        u, n, e = t.experiment_units.c, t.experiment_neurons.c, t.explanations.c
        return (
            select(
                t.experiment_units,
                t.models.c.slug.label("model"),
                t.layers.c.slug.label("layer"),
                t.layers.c.ordinal.label("layer_ordinal"),
                n.neuron,
                e.text,
                e.tokens_in.label("said_tokens_in"),
                e.calls.label("said_calls"),
            )
            .join(t.experiment_neurons, and_(n.experiment_id == u.experiment_id, n.ordinal == u.ordinal))
            .join(t.layers, t.layers.c.id == n.layer_id)
            .join(t.models, t.models.c.id == t.layers.c.model_id)
            .outerjoin(t.explanations, and_(e.id == u.explanation_id, u.scorer == EXPLANATION))
            .where(u.experiment_id == self.row.id)
            .order_by(u.ordinal, u.arm, u.seed, u.scorer)
        )

    def _scores(self) -> dict[str, list[_Value]]:
        """What is stored of this experiment's scores, by the key of the unit that made them."""
        sc, u = t.scores.c, t.experiment_units.c
        mine = select(u.explanation_id).where(
            u.experiment_id == self.row.id, u.scorer == EXPLANATION, u.explanation_id.is_not(None)
        )
        query = (
            select(
                sc.key, sc.protocol, sc.sample, sc.metric, sc.state, sc.value, sc.reason, t.parameters.c.json
            )
            .join(t.parameters, t.parameters.c.id == sc.parameters_id)
            .where(sc.explanation_id.in_(mine), sc.key.is_not(None))
            .order_by(sc.id)
        )
        begins = f"experiment-{self.row.id}/"
        found: dict[str, list[_Value]] = {}
        for row in self.s.execute(query):
            if row.key.startswith(begins):
                value = _Value(*row[1:7])
                if value.metric in _FLOORS:
                    value = value._replace(floor=json.loads(row[7]).get(_FLOORS[value.metric]))
                found.setdefault(row.key.rpartition("/")[0], []).append(value)
        return found


def _key(experiment_id: int, row: Row[Any]) -> str:
    """Under which the scores of a unit are stored."""
    return unit_key(experiment_id, row.ordinal, row.arm, row.seed, row.scorer, row.kept_as)


def _evidence(arm: Arm) -> str:
    if arm.method in SHOWN_EXCERPTS:
        return evidence_label(arm.shown)
    return "token table" if arm.method in WITHOUT_EXPLAINER else ""
