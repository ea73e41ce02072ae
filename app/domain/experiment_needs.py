"""What units of an experiment wait for: statements of the same neuron and seed, which must be there before they are begun."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from app.domain.experiment_units import EXPLANATION, units_of_neuron
from app.domain.experiments import REVISING_METHODS, Arm, Definition
from app.domain.explanations import Method, Protocol

Key = tuple[int, int]  # (arm, scorer)


def source_of(definition: Definition, arm: int) -> int | None:
    """The arm whose statement this one begins from; None for one that begins from nothing."""
    arms = definition.arms()
    if arms[arm].method not in REVISING_METHODS:
        return None
    return _alike(arms, arm, definition.revise_from)


def revision_of(definition: Definition, arm: int) -> int | None:
    """The arm whose revisions keep the sentences that this one's statements can be scored on; None where none does."""
    return _alike(definition.arms(), arm, Method.REVISION)


class Needs:
    """Who waits for whom, by arm and scorer. A score waits for its statement, what begins from a statement for that one, and
    a score on a revision's sentences for the revision as well.
    """

    def __init__(self, definition: Definition) -> None:
        scorers = definition.scorers()
        self._of: dict[Key, tuple[int, ...]] = {}
        for unit in units_of_neuron(definition):
            needed: tuple[int | None, ...]
            if unit.scorer == EXPLANATION:
                needed = (source_of(definition, unit.arm),)
            elif scorers[unit.scorer].protocol is Protocol.GENERATED:
                needed = (unit.arm, revision_of(definition, unit.arm))
            else:
                needed = (unit.arm,)
            self._of[unit.arm, unit.scorer] = tuple(dict.fromkeys(arm for arm in needed if arm is not None))

    def of(self, arm: int, scorer: int) -> tuple[int, ...]:
        """The arms whose statements a unit waits for."""
        return self._of[arm, scorer]

    def waiting_for(self, arm: int) -> Mapping[Key, tuple[int, ...]]:
        """The units that wait for an arm's statement, each with all arms that it waits for."""
        return {key: arms for key, arms in self._of.items() if arm in arms}


@lru_cache(maxsize=16)
def needs_of(definition: Definition) -> Needs:
    """Who waits for whom in a definition."""
    return Needs(definition)


def _alike(arms: Sequence[Arm], arm: int, method: Method) -> int | None:
    """The arm that differs from this one by its method alone."""
    wanted = arms[arm]._replace(name="", method=method)
    return next((i for i, each in enumerate(arms) if each._replace(name="") == wanted), None)
