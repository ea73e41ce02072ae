"""What an explanation predicts of its neuron's records: as simulated, or for token lookup as the token means say."""

import json
from typing import NamedTuple

from app.domain.explanations import Method, State
from app.domain.neurons import Float32, Int32, Kind, Polarity, Records, Split
from app.domain.token_lookup import lookup_records, token_means
from app.store import Session, simulations
from app.store.explanation_rows import ExplanationRow, SimulationRow
from app.web import wording


class Predicted(NamedTuple):
    """Values for R excerpts of T tokens, of the polarity's sign."""

    by: str  # in words
    simulation: int | None  # None: from token means
    excerpts: Int32  # [R]
    expected: Float32  # [R, T] on the 0-10 scale, or with `own_scale` in the units of the activations
    actual: Float32 | None  # [R, T] as published beside it; None: the neuron's records have it
    own_scale: bool
    last: bool = True  # the last position is predicted as well


def of_explanation(
    session: Session, row: ExplanationRow, records: Records, position0: bool
) -> tuple[Predicted, ...]:
    """All that is stored, newest first; for token lookup its own in the last place. Failed simulations are left out."""
    held = [each for each in simulations.of_explanation(session, row.id) if each.state is State.OK]
    found = [predicted for each in held if (predicted := _of_simulation(each)) is not None]
    if row.method == Method.TOKEN_LOOKUP:
        excerpts, expected = looked_up(records, row.polarity, position0)
        if len(excerpts):
            found.append(Predicted("token means", None, excerpts, expected, None, own_scale=False))
    return tuple(found)


def _of_simulation(row: SimulationRow) -> Predicted | None:
    if row.simulated is None:
        return None
    by = wording.simulated_by(row.simulator, row.simulator_model)
    by_next = bool(json.loads(row.parameters_json).get("by_next_token"))
    if by_next:
        by += ", from the token that follows; nothing is predicted for an excerpt's last token"
    return Predicted(
        by,
        row.id,
        row.simulated.excerpts,
        row.simulated.expected,
        row.actual,
        row.actual is not None and "neuron_activations" in row.parameters_json,
        not by_next,
    )


def looked_up(records: Records, polarity: Polarity, position0: bool) -> tuple[Int32, Float32]:
    """What token lookup predicts for the records that are scored, as the simulator of that name does."""
    seen = lookup_records(records)
    scored = records.where((Kind.TOP, Kind.BOTTOM, Kind.RANDOM), (Split.SCORE,))
    means = token_means(seen.tokens, seen.activations, position0=position0)
    return scored.excerpts, means.on_scale(scored.tokens, polarity.sign)
