"""A report from its material: every table, and every figure of one evaluation."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from app.domain.explanations import State
from app.domain.report_columns import columns
from app.domain.report_plan import Evaluation, Facts, Plan
from app.domain.results import Result
from app.report import contrasts, elsewhere, figures, models, scores, work
from app.report.values import Figure, Heading, Material, Table

TABLES: tuple[Callable[[Material], Table], ...] = (
    scores.scores,
    contrasts.contrasts,
    scores.ranks,
    scores.similarity,
    elsewhere.puzzles,
    work.prompt_tokens,
    work.costs,
    scores.counts,
    contrasts.protocol_gap,
    work.failures,
)
FIGURES: Mapping[str, Callable[[Material, Evaluation], Figure]] = {
    "means": figures.means,
    "best": figures.best,
    "layers": figures.layers,
    "distribution": figures.distribution,
    "top-and-random": figures.top_against_random,
    "protocol-gap": figures.protocol_gap,
    "explainer-size": models.explainer_size,
    "simulator-size": models.simulator_size,
    "subject-size": models.subject_size,
    "training": models.training,
    "activation": models.activation,
    "density": models.density,
    "preferences": lambda material, _: elsewhere.preferences(material),
}


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that is said of an experiment. Tables and figures are made when they are first asked for."""

    material: Material
    _figures: dict[tuple[str, Evaluation], Figure] = field(default_factory=dict)

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        return tuple(make(self.material) for make in TABLES)

    @cached_property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """Those that figures can be of, the primary one first."""
        return self.material.evaluations

    def figure(self, key: str, evaluation: Evaluation) -> Figure:
        """KeyError for an unknown one."""
        at = key, evaluation
        if at not in self._figures:
            self._figures[at] = FIGURES[key](self.material, evaluation)
        return self._figures[at]

    @cached_property
    def heading(self) -> Heading:
        plan, found = self.material.plan, self.material.columns
        states = Counter(each.state for each in found.results)
        return Heading(
            plan.experiment,
            plan.name,
            plan.definition_hash,
            models=tuple(dict.fromkeys(each.model for each in found.evaluations)),
            explainers=tuple(dict.fromkeys(maker.explainer for maker in found.made_by.values())),
            simulators=tuple(dict.fromkeys(each.simulator for each in found.evaluations if each.simulator)),
            protocols=tuple(dict.fromkeys(each.protocol.value for each in found.evaluations)),
            neurons=len(found.neurons),
            neurons_asked=plan.neurons,
            results=len(found.results),
            expected=plan.expected,
            defined=states[State.OK],
            failures=tuple(
                (state, states[state]) for state in State if state is not State.OK and states[state]
            ),
        )


def build(plan: Plan, results: Sequence[Result], facts: Facts | None = None) -> Report:
    """The report of one experiment's results so far."""
    return Report(Material(plan, facts or Facts(), columns(results, plan.arms)))
