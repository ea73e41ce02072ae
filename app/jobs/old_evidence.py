"""What an explanation that is to be revised or probed was made from, as far as an explainer may see it again."""

import numpy as np

from app.domain.candidates import single
from app.domain.explanations import PROMPTED_METHODS, Method
from app.domain.neurons import Polarity, Records, Split
from app.domain.protocols import explain_records
from app.errors import BadInput
from app.jobs.neuron import Neuron
from app.store.explanation_rows import ExplanationRow

_SHOWN = (*PROMPTED_METHODS, Method.REVISION, Method.REVISION_RANDOM, Method.RE_EXPLANATION, Method.PROBING)


def old_evidence(neuron: Neuron, source: ExplanationRow) -> Records:
    """The records of the explain split that its explainer was shown; where it was shown none of them, the usual ones.

    An explanation of an older collection, one by a person and one from tokens alone were shown none. BadInput where the
    neuron has no record of this polarity.
    """
    records, seen = neuron.records, set(source.provenance.excerpts)
    if source.collection_id == neuron.collection_id and single(source.method) in _SHOWN and seen:
        mine = (records.splits == Split.EXPLAIN) & np.isin(records.excerpts, list(seen))
        rows = np.flatnonzero(mine)
        _, first = np.unique(records.excerpts[rows], return_index=True)  # one may be kept for two reasons
        if len(first):
            return records.take(rows[np.sort(first)])
    return usual_evidence(neuron, source.polarity)


def usual_evidence(neuron: Neuron, polarity: Polarity) -> Records:
    """What explainers are shown where nothing else is said. BadInput where there is none."""
    shown = explain_records(neuron.records, polarity)
    if not len(shown):
        raise BadInput(f"{neuron.ref} has no records of this polarity to explain it from.")
    return shown
