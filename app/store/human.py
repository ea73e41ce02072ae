"""Explanations that people write: stored, scored and listed like any other."""

from app import __version__
from app.domain import written
from app.domain.explanations import Method, Provenance, State
from app.domain.neurons import NeuronRef, Polarity
from app.store import explanations, kept_names, sql
from app.store.session import Session

# Nobody knows which records a person looked at: pages show those that scores are computed on too.
PARAMETERS = '{"seen": "unknown"}'


def explain(s: Session, ref: NeuronRef, text: str, polarity: Polarity, author: str) -> int:
    """Store what somebody says a neuron does; its id. The same words by the same author are stored once.

    BadInput for no words or too many, NotFound for an unknown neuron.
    """
    text = written.statement(text)
    author = written.one_line(author, "an author's name", written.AUTHOR)
    key = kept_names.key_of(s, ref)
    made = Provenance(
        method=Method.HUMAN.value,
        explainer="none",
        parameters_json=PARAMETERS,
        code_version=__version__,
        author=author,
    )
    once = f"human-{sql.digest(str(key.layer_id), str(key.neuron), polarity.value, author, text)}"
    return explanations.add(s, ref, text, polarity, made, State.OK, "", None, once)
