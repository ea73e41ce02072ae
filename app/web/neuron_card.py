"""A neuron's card, put together from the store."""

import math
from collections.abc import Sequence

from app import __version__
from app.domain.explanations import Metric, Protocol, State
from app.domain.neuron_card import Card, CardExcerpt, CardExplanation, CardScore
from app.domain.neurons import Kind, NeuronRef, Polarity, Records
from app.domain.protocols import explain_records, score_records
from app.errors import NotFound
from app.store import Store, explanations, models, neurons
from app.store.explanation_rows import ExplanationRow, ScoreRow
from app.web import wording
from app.web.explanation_items import main_sample
from app.web.model_cache import ModelFacts

SHOWN, HELD_OUT_STRONG, HELD_OUT_RANDOM = 5, 2, 1  # records on a page


def card_of(
    store: Store, facts: ModelFacts, ref: NeuronRef, explanation: int | None, protocol: Protocol | None
) -> Card:
    """The card of a neuron with one explanation: the one asked for, or the best by the protocol's correlation.

    Raises NotFound for a neuron, or an explanation of it, that is not there.
    """
    with store.session() as session:
        statistics = neurons.statistics(session, ref)
        records = neurons.records(session, facts.excerpts, ref)
        rows = explanations.of_neuron(session, ref)
        collection = models.model(session, ref.model).collection
        usual = Protocol.BILLS_5_5 if facts.imported else Protocol.HELDOUT_FULL
        chosen = _chosen(rows, explanation, protocol or usual)
        if chosen is not None:
            chosen = explanations.get(session, chosen.id)
    protocol = protocol or _protocol(chosen, usual)
    polarity = Polarity.POSITIVE if chosen is None else chosen.polarity
    return Card(
        model=facts.card.name,
        slug=facts.card.slug,
        revision=facts.card.revision,
        family=facts.card.family,
        layer=ref.layer,
        layer_ordinal=facts.layer(ref.layer).ordinal,
        index=ref.index,
        corpus=collection.corpus if collection is not None else "",
        excerpts=len(facts.excerpts.tokens),
        collected_at=""
        if collection is None or collection.finished_at is None
        else collection.finished_at.isoformat(timespec="seconds"),
        maximum=_number(statistics.maximum),
        minimum=_number(statistics.minimum),
        density=_number(statistics.density),
        explanation=None if chosen is None else _explanation(chosen),
        protocol=protocol.value,
        scores=() if chosen is None else _scores(chosen.scores, protocol),
        records=_records(facts, records, chosen, polarity, protocol),
        software=f"Neuronarium {__version__}",
    )


def _chosen(
    rows: Sequence[ExplanationRow], explanation: int | None, protocol: Protocol
) -> ExplanationRow | None:
    if explanation is not None:
        for row in rows:
            if row.id == explanation:
                return row
        raise NotFound(f"This neuron has no explanation {explanation}: its page lists those it has.")
    there = [row for row in rows if row.state is State.OK]
    return max(there, key=lambda row: (_correlation(row, protocol), row.id), default=None)


def _correlation(row: ExplanationRow, protocol: Protocol) -> float:
    """The best correlation by a protocol; of none, less than any."""
    sample = main_sample(protocol)
    values = [
        score.value.value
        for score in row.scores
        if score.value.protocol is protocol
        and score.value.sample is sample
        and score.value.metric is Metric.CORRELATION
        and score.value.value is not None
    ]
    return max(values, default=-2.0)


def _protocol(chosen: ExplanationRow | None, usual: Protocol) -> Protocol:
    """The usual protocol where the explanation has a score by it, else the first that it has."""
    used = {score.value.protocol for score in chosen.scores} if chosen is not None else set()
    return usual if usual in used or not used else min(used, key=list(Protocol).index)


def _explanation(row: ExplanationRow) -> CardExplanation:
    made = row.provenance
    return CardExplanation(
        row.id,
        row.text,
        row.polarity.value,
        made.method,
        made.explainer,
        made.prompt_version,
        made.messages_hash,
        made.seed,
        made.author,
        row.created_at.isoformat(timespec="seconds"),
    )


def _scores(rows: Sequence[ScoreRow], protocol: Protocol) -> tuple[CardScore, ...]:
    """Of each metric and sample the newest."""
    newest: dict[tuple[str, str], ScoreRow] = {}
    for row in sorted(rows, key=lambda each: each.id):
        if row.value.protocol is protocol:
            newest[row.value.sample, row.value.metric] = row
    order = [sample.value for sample in wording.SAMPLES], [metric.value for metric in Metric]
    return tuple(
        CardScore(
            metric,
            sample,
            row.value.state.value,
            row.value.value,
            row.value.low,
            row.value.high,
            row.value.n_records,
            row.value.n_documents,
            wording.simulated_by(row.simulator, row.simulator_model),
            row.value.reason,
        )
        for (sample, metric), row in sorted(
            newest.items(), key=lambda item: (order[0].index(item[0][0]), order[1].index(item[0][1]))
        )
    )


def _records(
    facts: ModelFacts, records: Records, chosen: ExplanationRow | None, polarity: Polarity, protocol: Protocol
) -> tuple[CardExcerpt, ...]:
    """What the explainer saw, as far as it is told and still there, and the strongest and a random record held out."""
    # Ordinals of an older collection are those of other excerpts now.
    current = chosen is not None and chosen.collection_id == facts.excerpts.collection_id
    seen = set(chosen.provenance.excerpts) if chosen is not None and current else set()
    strong = Kind.TOP if polarity is Polarity.POSITIVE else Kind.BOTTOM
    usual = explain_records(records, polarity)
    shown = [row for row, excerpt in enumerate(usual.excerpts.tolist()) if not seen or excerpt in seen]
    out = _excerpts(facts, usual, shown[:SHOWN], "shown to the explainer" if seen else "strongest")
    held, _ = score_records(records, protocol, polarity) if protocol in _WITH_RECORDS else (None, None)
    if held is None or not len(held):
        held, _ = score_records(records, Protocol.HELDOUT_FULL, polarity)
    kinds = held.kinds.tolist()
    for kind, most in ((strong, HELD_OUT_STRONG), (Kind.RANDOM, HELD_OUT_RANDOM)):
        rows = [row for row, each in enumerate(kinds) if each == kind][:most]
        words = "strongest" if kind is strong else "at random"
        split = "held out, " if not facts.imported else "not shown, "
        out += _excerpts(facts, held, rows, split + words)
    return out


_WITH_RECORDS = frozenset({Protocol.HELDOUT_5_5, Protocol.HELDOUT_FULL, Protocol.BILLS_5_5})


def _excerpts(facts: ModelFacts, records: Records, rows: Sequence[int], use: str) -> tuple[CardExcerpt, ...]:
    shown = facts.vocabulary.shown
    found = []
    for row in rows:
        ordinal, document = int(records.excerpts[row]), int(records.documents[row])
        ids = records.tokens[row].tolist()
        found.append(
            CardExcerpt(
                use,
                facts.documents[document].name if document >= 0 else f"excerpt {ordinal:,}, as published",
                int(facts.excerpts.starts[ordinal]) if document >= 0 else -1,
                tuple(shown[i] for i in ids),
                tuple(ids),
                tuple(records.activations[row].tolist()),
            )
        )
    return tuple(found)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
