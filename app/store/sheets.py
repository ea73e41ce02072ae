"""All that a neuron's page shows of its evidence, in one statement: the hot path of the web."""

from dataclasses import dataclass
from datetime import UTC, datetime

from app.domain.explanations import Provenance, ScoreValue, Usage
from app.domain.neurons import Histogram, NeuronRef, Records, Statistics
from app.domain.scored_by import Scorer
from app.errors import NotFound
from app.store import heldout, names, neurons, packing, relations, sql, types
from app.store import tables as t
from app.store.explanation_rows import ExplanationRow, ScoreRow
from app.store.neurons import number
from app.store.relations import Relation
from app.store.rows import StoredExcerpts, StoredTokens
from app.store.scores import unsimulated
from app.store.session import Session

# Past SQLAlchemy's own compilation, as in `neurons.records`: describing the columns of a result costs it more than these queries cost
# a database. The primary keys of three tables are the same number.
_SHEET = (
    "SELECT l.id, p.kinds, p.splits, p.n_tokens, p.n_sampled, n.mean, n.variance, n.skewness, n.kurtosis, "
    "n.maximum, n.minimum, n.density, e.data, k.data, p.present, p.neurons, p.id, c.imported FROM layers l JOIN parts p ON p.layer_id = l.id "
    "JOIN collections c ON c.id = p.collection_id AND c.model_id = l.model_id "
    "JOIN neurons n ON n.id = p.id * ? + ? LEFT JOIN exemplars e ON e.id = n.id "
    "LEFT JOIN neuron_tokens k ON k.id = n.id WHERE c.id = ? AND l.slug = ? AND p.neurons > ?"
)
_EXPLANATIONS = (
    "SELECT e.id, e.state, e.reason, e.text, e.polarity, e.seed, e.excerpts, e.tokens_in, e.tokens_out, e.cost_usd, "
    "e.seconds, e.calls, e.collection_id, e.job_id, e.created_at, o.method, o.explainer, o.prompt_version, "
    "o.parameters_json, o.code_version, o.author, m.hash, "
    "EXISTS (SELECT 1 FROM simulations si WHERE si.explanation_id = e.id AND si.state = 0) FROM explanations e JOIN origins o ON o.id = e.origin_id "
    "LEFT JOIN messages m ON m.id = e.messages_id WHERE e.layer_id = ? AND e.neuron = ? ORDER BY e.id DESC"
)
_SCORES = (
    "SELECT sc.explanation_id, sc.id, sc.simulation_id, sc.protocol, sc.sample, sc.metric, sc.state, sc.value, sc.low, "
    "sc.high, sc.n_records, sc.n_documents, sc.n_tokens, sc.indicative, sc.reason, sc.job_id, sc.created_at, "
    "p.json, si.simulator, si.simulator_model, si.seed FROM explanations e JOIN scores sc ON sc.explanation_id = e.id "
    "JOIN parameters p ON p.id = sc.parameters_id LEFT JOIN simulations si ON si.id = sc.simulation_id "
    "WHERE e.layer_id = ? AND e.neuron = ? ORDER BY sc.id DESC"
)
_POLARITIES = {code: word for word, code in types.POLARITIES.items()}
_STATES = {code: word for word, code in types.STATES.items()}
_PROTOCOLS = {code: word for word, code in types.PROTOCOLS.items()}
_SAMPLES = {code: word for word, code in types.SAMPLES.items()}
_METRICS = {code: word for word, code in types.METRICS.items()}


@dataclass(frozen=True, eq=False)
class Sheet:
    """One neuron's evidence and what was said of it."""

    records: Records
    statistics: Statistics
    histogram: Histogram
    top_tokens: StoredTokens
    explanations: list[ExplanationRow]  # newest first, failed ones too
    before: int | None  # the neurons beside it in its layer, of those that are there
    after: int | None
    relations: tuple[Relation, ...]  # published tables of related tokens and neurons


def sheet(s: Session, excerpts: StoredExcerpts, ref: NeuronRef) -> Sheet:
    """Equal to `neurons.records`, `.statistics`, `.histogram`, `.top_tokens` and `explanations.of_neuron`.

    NotFound says what exists; also where `excerpts` are of a collection that has been superseded.
    """
    row = None
    if ref.model == excerpts.model and 0 <= ref.index < 1 << t.INDEX_BITS:
        found_rows = sql.rows(
            s, _SHEET, (1 << t.INDEX_BITS, ref.index, excerpts.collection_id, ref.layer, ref.index)
        )
        row = found_rows[0] if found_rows else None
    if row is None:
        part = names.part_of(s, ref)  # raises the NotFound that fits
        if not neurons.exists(s, part, ref.index):
            raise names.absent(ref)
        raise NotFound(f"the records of {ref} belong to another collection now: ask again")
    layer, kinds, splits, n_tokens, n_sampled, mean, variance, skewness, kurtosis, high, low, density = row[
        :12
    ]
    packed = neurons.particulars(row[12])
    if row[12] is None:
        records = neurons.no_records(excerpts)
    else:
        records = neurons.unpacked(excerpts, ref, row[12], kinds, splits)
    statistics = Statistics(
        mean=number(mean),
        variance=number(variance),
        skewness=number(skewness),
        kurtosis=number(kurtosis),
        maximum=number(high),
        minimum=number(low),
        density=number(density),
        explain_maximum=packed.explain_maximum,
        explain_minimum=packed.explain_minimum,
        token_q99=packed.token_q99,
        token_q01=packed.token_q01,
        excerpt_max_q99=packed.excerpt_max_q99,
        n_tokens=n_tokens,
        n_sampled=n_sampled,
        sign_shares=packed.sign_shares,
        position0=packed.position0,
        band_excerpts=packed.band_excerpts,
    )
    tokens = StoredTokens(*packing.unpack_tokens(row[13] or b""))
    present, width, part_id = row[14:17]
    if present == width:
        before = ref.index - 1 if ref.index else None
        after = ref.index + 1 if ref.index + 1 < width else None
    else:
        before, after = neurons.beside(s, part_id, ref.index)
    related = relations.of_neuron(s, part_id, ref.index) if row[17] else ()
    said = _said(s, ref, layer)
    return Sheet(records, statistics, packed.histogram, tokens, said, before, after, related)


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(
        microsecond=microseconds % 1_000_000
    )


def _said(s: Session, ref: NeuronRef, layer: int) -> list[ExplanationRow]:
    neuron = layer, ref.index
    scored, explained = sql.together(s, (_SCORES, neuron), (_EXPLANATIONS, neuron))
    scores: dict[int, list[ScoreRow]] = {}
    for r in scored:
        value = ScoreValue(
            metric=_METRICS[r[5]],
            protocol=_PROTOCOLS[r[3]],
            sample=_SAMPLES[r[4]],
            state=_STATES[r[6]],
            value=r[7],
            low=r[8],
            high=r[9],
            n_records=r[10],
            n_documents=r[11],
            n_tokens=r[12],
            indicative=bool(r[13]),
            reason=r[14],
            parameters_json=r[17],
        )
        by = Scorer(r[18], r[19], r[20]) if r[2] is not None else unsimulated(r[17])
        row = ScoreRow(r[1], r[0], r[2], by.name, by.model, by.seed, value, r[15], _moment(r[16]))
        scores.setdefault(r[0], []).append(row)
    return [
        ExplanationRow(
            id=r[0],
            ref=ref,
            state=_STATES[r[1]],
            reason=r[2],
            text=r[3],
            polarity=_POLARITIES[r[4]],
            provenance=Provenance(
                method=r[15],
                explainer=r[16],
                prompt_version=r[17],
                messages_hash=r[21] or "",
                parameters_json=r[18],
                seed=r[5],
                excerpts=heldout.listed(r[6]),
                code_version=r[19],
                usage=Usage(r[7], r[8], r[9], r[10], r[11]),
                author=r[20],
            ),
            collection_id=r[12],
            job_id=r[13],
            created_at=_moment(r[14]),
            scores=tuple(scores.get(r[0], ())),
            simulated=bool(r[22]),
        )
        for r in explained
    ]
