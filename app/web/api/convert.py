"""Rows of the store as values of the API: the same data as the pages."""

import json
import math
from collections.abc import Sequence

import numpy as np

from app.domain.collection import Document
from app.domain.explanations import Step
from app.domain.neurons import Histogram, Int32, Kind, Records, Split, Statistics
from app.domain.vocabulary import Vocabulary
from app.store.explanation_rows import ExplanationRow, ScoreRow, SimulationRow
from app.store.rows import BestScore, JobRow, NeuronRow, StoredTokens
from app.web import trust_marks
from app.web.api.explanation_schemas import ExplanationOut, ScoreOut, SimulationOut, StepOut, UsageOut
from app.web.api.neuron_schemas import (
    BestScoreOut,
    HistogramOut,
    NeuronLine,
    RecordOut,
    StatisticsOut,
    TopTokenOut,
)
from app.web.api.schemas import JobOut


def finite(value: float) -> float | None:
    """JSON has no NaN: a statistic that is undefined is null."""
    return value if math.isfinite(value) else None


def top_token(vocabulary: Vocabulary, id: int, mean: float, count: int) -> TopTokenOut:
    return TopTokenOut(id=id, text=vocabulary.shown[id], mean=mean, count=count)


def top_tokens(vocabulary: Vocabulary, tokens: StoredTokens) -> list[TopTokenOut]:
    rows = zip(tokens.ids.tolist(), tokens.means.tolist(), tokens.counts.tolist(), strict=True)
    return [top_token(vocabulary, *row) for row in rows]


def best(row: BestScore | None) -> BestScoreOut | None:
    if row is None:
        return None
    return BestScoreOut(
        explanation_id=row.explanation_id,
        text=row.text,
        method=row.method,
        polarity=row.polarity,
        protocol=row.protocol,
        sample=row.sample,
        metric=row.metric,
        state=row.state,
        value=row.value,
        low=row.low,
        high=row.high,
        trust=trust_marks.said(row.protocol, row.sample, row.metric),
    )


def neuron_line(row: NeuronRow, vocabulary: Vocabulary) -> NeuronLine:
    return NeuronLine(
        model=row.ref.model,
        layer=row.ref.layer,
        index=row.ref.index,
        density=finite(row.density),
        maximum=finite(row.maximum),
        minimum=finite(row.minimum),
        mean=finite(row.mean),
        variance=finite(row.variance),
        skewness=finite(row.skewness),
        kurtosis=finite(row.kurtosis),
        top_tokens=[top_token(vocabulary, token.id, token.mean, token.count) for token in row.top_tokens],
        best=best(row.best),
    )


def statistics(row: Statistics, position0: bool) -> StatisticsOut:
    return StatisticsOut(
        mean=finite(row.mean),
        variance=finite(row.variance),
        skewness=finite(row.skewness),
        kurtosis=finite(row.kurtosis),
        maximum=finite(row.maximum),
        minimum=finite(row.minimum),
        density=finite(row.density),
        explain_maximum=finite(row.explain_maximum),
        explain_minimum=finite(row.explain_minimum),
        token_q99=finite(row.token_q99),
        token_q01=finite(row.token_q01),
        excerpt_max_q99=finite(row.excerpt_max_q99),
        n_tokens=row.n_tokens,
        n_sampled=row.n_sampled,
        sign_shares=None if row.sign_shares is None else list(row.sign_shares),
        position0_outlier=position0,
    )


def histogram(row: Histogram) -> HistogramOut:
    return HistogramOut(low=row.low, high=row.high, counts=row.counts.tolist())


def records(
    row: Records, vocabulary: Vocabulary, documents: list[Document], starts: Int32
) -> list[RecordOut]:
    """Ranks count within one kind and split, in stored order. `starts` are those of all the model's excerpts."""
    shown = vocabulary.shown
    seen: dict[tuple[int, int], int] = {}
    out = []
    for i in range(len(row)):
        slot = (int(row.kinds[i]), int(row.splits[i]))
        rank = seen.get(slot, 0)
        seen[slot] = rank + 1
        document = int(row.documents[i])
        ids = row.tokens[i].tolist()
        out.append(
            RecordOut(
                kind=Kind(slot[0]).name.lower(),
                split=Split(slot[1]).name.lower(),
                rank=rank,
                excerpt=int(row.excerpts[i]),
                document=document if document >= 0 else None,
                start=int(starts[row.excerpts[i]]) if document >= 0 else None,
                source=documents[document].name if document >= 0 else "",
                tokens=[shown[id] for id in ids],
                token_ids=ids,
                activations=row.activations[i].astype(np.float64).tolist(),
                gate_positive=None if row.gates is None else row.gates[i].tolist(),
            )
        )
    return out


def score(row: ScoreRow) -> ScoreOut:
    value = row.value
    return ScoreOut(
        id=row.id,
        explanation_id=row.explanation_id,
        simulation_id=row.simulation_id,
        simulator=row.simulator,
        simulator_model=row.simulator_model,
        metric=value.metric,
        protocol=value.protocol,
        sample=value.sample,
        state=value.state,
        value=value.value,
        low=value.low,
        high=value.high,
        n_records=value.n_records,
        n_documents=value.n_documents,
        n_tokens=value.n_tokens,
        indicative=value.indicative,
        reason=value.reason,
        parameters_json=value.parameters_json,
        trust=trust_marks.said(value.protocol, value.sample, value.metric),
        seed=row.seed,
        job_id=row.job_id,
        created_at=row.created_at,
    )


def explanation(row: ExplanationRow, steps: Sequence[Step] = ()) -> ExplanationOut:
    made = row.provenance
    return ExplanationOut(
        id=row.id,
        model=row.ref.model,
        layer=row.ref.layer,
        index=row.ref.index,
        state=row.state,
        reason=row.reason,
        text=row.text,
        polarity=row.polarity,
        method=made.method,
        explainer=made.explainer,
        prompt_version=made.prompt_version,
        messages_hash=made.messages_hash,
        messages_json=made.messages_json,
        parameters_json=made.parameters_json,
        seed=made.seed,
        excerpts=list(made.excerpts),
        code_version=made.code_version,
        usage=UsageOut(**made.usage._asdict()),
        author=made.author,
        collection_id=row.collection_id,
        job_id=row.job_id,
        created_at=row.created_at,
        scores=[score(each) for each in row.scores],
        steps=[StepOut(kind=step.kind, data=json.loads(step.data_json)) for step in steps],
    )


def simulation(row: SimulationRow) -> SimulationOut:
    simulated = row.simulated
    return SimulationOut(
        id=row.id,
        explanation_id=row.explanation_id,
        simulator=row.simulator,
        simulator_model=row.simulator_model,
        parameters_json=row.parameters_json,
        seed=row.seed,
        state=row.state,
        reason=row.reason,
        excerpts=[] if simulated is None else simulated.excerpts.tolist(),
        expected=[] if simulated is None else simulated.expected.astype(np.float64).tolist(),
        job_id=row.job_id,
        created_at=row.created_at,
    )


def job(row: JobRow) -> JobOut:
    return JobOut(
        id=row.id,
        kind=row.kind,
        title=row.title,
        state=row.state.value,
        done=row.done,
        total=row.total,
        unit=row.unit,
        note=row.note,
        reason=row.reason,
        cost_usd=row.cost_usd,
        worker=row.worker,
        attempts=row.attempts,
        resumptions=row.resumptions,
        model=row.model,
        parameters_json=row.parameters_json,
        result_json=row.result_json,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
