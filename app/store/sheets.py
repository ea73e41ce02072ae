"""All that a neuron's page shows of its evidence, in one statement: the hot path of the web."""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import bindparam

from app.domain.neurons import Histogram, NeuronRef, Records, Statistics
from app.errors import NotFound
from app.store import codec, explanations, names
from app.store import tables as t
from app.store.neurons import number
from app.store.rows import ExplanationRow, StoredExcerpts, StoredTokens
from app.store.session import Session

# Past SQLAlchemy's own compilation, as in `neurons.records`; the primary keys of three tables are the same number.
_SHEET = (
    "SELECT l.id, p.kinds, p.splits, p.n_tokens, p.n_sampled, n.mean, n.variance, n.skewness, n.kurtosis, "
    "n.maximum, n.minimum, n.density, e.data, k.data FROM layers l JOIN parts p ON p.layer_id = l.id "
    "JOIN collections c ON c.id = p.collection_id AND c.model_id = l.model_id "
    f"JOIN neurons n ON n.id = p.id * {1 << t.INDEX_BITS} + ? JOIN exemplars e ON e.id = n.id "
    "LEFT JOIN neuron_tokens k ON k.id = n.id WHERE c.id = ? AND l.slug = ? AND p.neurons > ?"
)
_SHEET_POSTGRES = _SHEET.replace("?", "%s")
_EXPLANATIONS = explanations._select(
    (t.explanations.c.layer_id == bindparam("layer")) & (t.explanations.c.neuron == bindparam("index"))
)


@dataclass(frozen=True, eq=False)
class Sheet:
    """One neuron's evidence and what was said of it."""

    records: Records
    statistics: Statistics
    histogram: Histogram
    top_tokens: StoredTokens
    explanations: list[ExplanationRow]  # newest first, failed ones too


def sheet(s: Session, excerpts: StoredExcerpts, ref: NeuronRef) -> Sheet:
    """Equal to `neurons.records`, `.statistics`, `.histogram`, `.top_tokens` and `explanations.of_neuron`.

    NotFound says what exists; also where `excerpts` are of a collection that has been superseded.
    """
    query = _SHEET if s.dialect.name == "sqlite" else _SHEET_POSTGRES
    row = None
    if ref.model == excerpts.model and ref.index >= 0:
        row = s.exec_driver_sql(query, (ref.index, excerpts.collection_id, ref.layer, ref.index)).first()
    if row is None:
        names.part_of(s, ref)  # raises the NotFound that fits
        raise NotFound(f"the records of {ref} belong to another collection now: ask again")
    layer, kinds, splits, n_tokens, n_sampled, mean, variance, skewness, kurtosis, high, low, density = row[
        :12
    ]
    found, packed = codec.decode_records(row[12]), codec.decode_particulars(row[12])
    records = Records(
        excerpts=found.excerpts,
        documents=excerpts.documents[found.excerpts],
        kinds=np.frombuffer(kinds, np.uint8)[found.slots],
        splits=np.frombuffer(splits, np.uint8)[found.slots],
        tokens=excerpts.tokens[found.excerpts],
        activations=found.activations,
        gates=found.gates,
    )
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
    )
    tokens = StoredTokens(*codec.unpack_tokens(row[13] or b""))
    said = explanations._rows(s, _EXPLANATIONS.params(layer=layer, index=ref.index))
    return Sheet(records, statistics, packed.histogram, tokens, said)
