"""What an experiment's units are, neuron by neuron, and what each needs: its lane."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.domain.experiments import Arm, Definition, Scorer
from app.domain.explanations import Method, Metric, SimulatorName

EXPLANATION = -1  # the scorer of a unit that makes the statement
PROCESSOR = 0  # lane of what needs nothing but a processor
LOCAL_MODEL = 1  # lane of what needs the model in this process, which does one thing at a time
FIRST_ENDPOINT = 2  # lanes from here on are the definition's endpoints in order

MOST_UNITS = 2_000_000


class Planned(NamedTuple):
    """One unit of one neuron."""

    arm: int
    seed: int
    scorer: int
    lane: int


class Lanes:
    """Which lane each arm and each scorer of a definition is in."""

    def __init__(self, definition: Definition) -> None:
        self.endpoints = definition.endpoints()

    def of_arm(self, arm: Arm) -> int:
        if arm.explainer:
            return self._endpoint(arm.explainer)
        return LOCAL_MODEL if arm.method is Method.TOKEN_LINEAR else PROCESSOR

    def of_scorer(self, scorer: Scorer) -> int:
        if scorer.endpoint:
            return self._endpoint(scorer.endpoint)
        local = (
            scorer.simulator in (SimulatorName.LOCAL, SimulatorName.TOKEN_LINEAR)
            or scorer.metric is Metric.ABLATION
        )
        return LOCAL_MODEL if local else PROCESSOR

    def names(self) -> tuple[str, ...]:
        """Of all lanes, in order, as people may read them."""
        return ("processor", "local model", *self.endpoints)

    def _endpoint(self, name: str) -> int:
        return FIRST_ENDPOINT + self.endpoints.index(name)


def units_of_neuron(definition: Definition) -> list[Planned]:
    """The units of each neuron, in the order in which they are taken: a statement, then what scores it."""
    return list(_units(definition, definition.arms(), definition.scorers()))


def _units(definition: Definition, arms: Sequence[Arm], scorers: Sequence[Scorer]) -> Iterator[Planned]:
    lanes = Lanes(definition)
    for i, arm in enumerate(arms):
        for seed in definition.seeds:
            yield Planned(i, seed, EXPLANATION, lanes.of_arm(arm))
            for j, scorer in enumerate(scorers):
                if scorer.fits(arm):
                    yield Planned(i, seed, j, lanes.of_scorer(scorer))
