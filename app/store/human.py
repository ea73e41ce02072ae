"""Explanations that people write: stored, scored and listed like any other."""

from app import __version__
from app.domain import written
from app.domain.explanations import Method, Provenance, State
from app.domain.neurons import NeuronRef, Polarity
from app.store import explanations, heldout, kept_names, sql
from app.store.session import Session

# Nobody knows which records a person looked at, since pages show held-out ones too, unless the author says so.
UNKNOWN, EXPLAIN_ONLY = '{"seen": "unknown"}', '{"seen": "explain records alone, by the author\'s word"}'
NOBODY_KNOWS = (-1,)  # in place of excerpts, see heldout.UNKNOWN


def explain(
    s: Session, ref: NeuronRef, text: str, polarity: Polarity, author: str, *, blind: bool = False
) -> int:
    """Store what somebody says a neuron does; its id. The same words by the same author are stored once.

    `blind`: the author says to have looked at the neuron's explain records alone. Without that, nothing can be shown to be
    held out, and it is scored on no document (see heldout.demand_known).
    BadInput for no words or too many, NotFound for an unknown neuron.
    """
    text = written.statement(text)
    author = written.one_line(author, "an author's name", written.AUTHOR)
    key = kept_names.key_of(s, ref)
    made = Provenance(
        method=Method.HUMAN.value,
        explainer="none",
        parameters_json=EXPLAIN_ONLY if blind else UNKNOWN,
        excerpts=tuple(heldout.explain_excerpts(s, ref)) if blind else NOBODY_KNOWS,
        code_version=__version__,
        author=author,
    )
    words = (str(key.layer_id), str(key.neuron), polarity.value, author, text, *(("blind",) if blind else ()))
    once = f"human-{sql.digest(*words)}"
    return explanations.add(s, ref, text, polarity, made, State.OK, "", None, once)
