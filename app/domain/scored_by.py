"""Who is behind a score that no simulation is behind: a judge, an embedder. Kept in the score's parameters."""

import json
from functools import lru_cache
from typing import NamedTuple

SCORED_BY = "scored_by"  # the key in a score's parameters


class Scorer(NamedTuple):
    """As `simulator`, `simulator_model` and `seed` of a stored score say it."""

    name: str  # judge, embedder
    model: str  # "endpoint / model", or the local model
    seed: int


def words(scorer: Scorer) -> dict[str, object]:
    """What belongs into the score's parameters."""
    return {SCORED_BY: {"name": scorer.name, "model": scorer.model, "seed": scorer.seed}}


@lru_cache(maxsize=1024)
def scorer_of(parameters_json: str) -> Scorer | None:
    """Who scored, from a score's parameters; None where they do not say."""
    if f'"{SCORED_BY}"' not in parameters_json:
        return None
    said = json.loads(parameters_json).get(SCORED_BY)
    return Scorer(said["name"], said["model"], said["seed"]) if isinstance(said, dict) else None
