"""The dry run: what an experiment would ask, in calls, tokens, money and time, before anything is sent. Estimates, to be called so."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from app.domain.experiment_units import FIRST_ENDPOINT, LOCAL_MODEL
from app.domain.experiment_units import Lanes as LaneNames
from app.domain.experiments import REVISING_METHODS, Arm, Definition, Scorer
from app.domain.explanations import Method, SimulatorName
from app.errors import BadInput
from app.jobs import endpoints, live_previews, previews
from app.jobs.experiment_options import (
    chosen_by,
    explain_options,
    judge_options,
    probe_options,
    revise_options,
    score_options,
)
from app.jobs.experiment_plan import Plan
from app.jobs.neuron import Neuron, load_neuron
from app.llm.pricing import price
from app.settings import Settings
from app.simulate.estimates import LIKELY
from app.store import Store, ledger, simulations
from app.store.ledger import Pace

LOOKED_AT = 3  # neurons whose prompts are really made: one more is a second where a server counts tokens


class Calls(NamedTuple):
    """What a number of calls takes."""

    calls: float = 0.0
    tokens_in: float = 0.0
    tokens_out: float = 0.0  # at most
    most_usd: float = 0.0
    likely_usd: float = 0.0  # with answers as long as they were so far

    def plus(self, other: "Calls") -> "Calls":
        return Calls(*(a + b for a, b in zip(self, other, strict=True)))

    def times(self, n: float) -> "Calls":
        return Calls(*(n * each for each in self))


class ArmLine(NamedTuple):
    """One arm: its statements and all that scores them."""

    arm: str
    explanations: int
    explaining: Calls
    scoring: Calls

    @property
    def total(self) -> Calls:
        return self.explaining.plus(self.scoring)


class LaneLine(NamedTuple):
    """One endpoint, or the local model: how long it is kept busy."""

    name: str
    calls: int  # simulations, of the local model
    at_once: int
    seconds: float | None  # None: it has not been asked yet, so that nobody knows
    seen: int  # calls that this goes by


@dataclass(frozen=True)
class DryRun:
    """An experiment before it runs."""

    plan: Plan
    arms: tuple[ArmLine, ...]
    lanes: tuple[LaneLine, ...]
    looked_at: int  # neurons that the prompts were made for; all others are taken to be like them
    problems: tuple[str, ...]  # neurons among them that an arm cannot explain

    @property
    def total(self) -> Calls:
        found = Calls()
        for line in self.arms:
            found = found.plus(line.total)
        return found

    @property
    def seconds(self) -> float | None:
        """Until the busiest lane is done; None where a lane's time is not known."""
        known = [lane.seconds for lane in self.lanes if lane.calls]
        return None if None in known else max((each or 0.0 for each in known), default=0.0)

    @property
    def over_budget(self) -> bool:
        """Whether its budget may not be enough."""
        budget = self.plan.definition.budget_usd
        return budget is not None and self.total.most_usd > budget


def dry_run(settings: Settings, store: Store, plan: Plan) -> DryRun:
    """Make the prompts of a few neurons and count. No language model is asked; a server on this machine may count tokens."""
    return _Counting(settings, store, plan).run()


class _Counting:
    def __init__(self, settings: Settings, store: Store, plan: Plan) -> None:
        self._settings = settings
        self._store = store
        self._plan = plan
        self._definition: Definition = plan.definition
        self._paces: dict[tuple[str, str], Pace | None] = {}
        self._lane_calls: dict[tuple[int, str], float] = {}  # (lane, purpose) -> calls of one neuron and seed
        self._problems: list[str] = []

    def run(self) -> DryRun:
        refs = [chosen.ref for chosen in self._plan.sample]
        step = max(1, len(refs) // LOOKED_AT)
        neurons = [load_neuron(self._store, ref) for ref in refs[::step][:LOOKED_AT]]
        each = len(refs) * len(self._definition.seeds)
        lanes = LaneNames(self._definition)
        scorers = self._definition.scorers()
        scoring = [self._scoring(scorer, neurons) for scorer in scorers]
        lines: list[ArmLine] = []
        for arm in self._definition.arms():
            explaining = self._explaining(arm, neurons)
            self._count(lanes.of_arm(arm), "explain", explaining.calls)
            scored = Calls()
            for scorer, one in zip(scorers, scoring, strict=True):
                if scorer.fits(arm):
                    scored = scored.plus(one)
                    local = lanes.of_scorer(scorer) == LOCAL_MODEL
                    self._count(lanes.of_scorer(scorer), _purpose(scorer), 1 if local else one.calls)
            lines.append(ArmLine(arm.name, each, explaining.times(each), scored.times(each)))
        return DryRun(
            self._plan, tuple(lines), tuple(self._lanes(lanes, each)), len(neurons), tuple(dict.fromkeys(self._problems))
        )  # fmt: skip

    def _explaining(self, arm: Arm, neurons: Sequence[Neuron]) -> Calls:
        """One statement, the mean over these neurons."""
        if not arm.explainer:
            return Calls()
        if arm.method in REVISING_METHODS:
            return self._beginning(arm, neurons)
        endpoint = endpoints.endpoint(self._settings, arm.explainer)
        options = explain_options(arm, self._definition, self._definition.seeds[0])
        total, n = Calls(), 0
        for neuron in neurons:
            try:
                made = previews.explaining(neuron, options, endpoint)
            except BadInput as error:
                self._problems.append(f"{arm.name}: {error.sentence}")
                continue
            n += 1
            one = self._priced(arm.explainer, "explain", 1, made.tokens, made.max_tokens)
            total = total.plus(one.times(arm.candidates))
            choose = chosen_by(self._definition, 0) if arm.candidates > 1 else None
            if choose is not None and choose.endpoint:
                asked = endpoints.endpoint(self._settings, choose.endpoint)
                dev = previews.choosing(neuron, options, choose, asked)
                total = total.plus(
                    self._priced(choose.endpoint, "simulate", dev.calls, dev.tokens_in, dev.tokens_out)
                )
        return total.times(1 / n) if n else Calls()

    def _beginning(self, arm: Arm, neurons: Sequence[Neuron]) -> Calls:
        """One statement that begins from another arm's, which that arm has made: the calls of one that goes well, and the price
        of one that asks as often as it may.
        """
        endpoint = endpoints.endpoint(self._settings, arm.explainer)
        total, n = Calls(), 0
        for neuron in neurons:
            try:
                source = live_previews.begin_anew(neuron, self._definition.polarity)
                made = (
                    live_previews.probing(neuron, source, probe_options(arm, 0), endpoint)
                    if arm.method is Method.PROBING
                    else live_previews.revising(neuron, source, revise_options(arm, 0), endpoint)
                )
            except BadInput as error:
                self._problems.append(f"{arm.name}: {error.sentence}")
                continue
            n += 1
            share = made.calls / made.most_calls
            one = self._priced(
                arm.explainer, "explain", made.calls, share * made.tokens_in, share * made.tokens_out
            )
            total = total.plus(one._replace(most_usd=made.price_usd))
        return total.times(1 / n) if n else Calls()

    def _scoring(self, scorer: Scorer, neurons: Sequence[Neuron]) -> Calls:
        if not scorer.endpoint:
            return Calls()
        endpoint = endpoints.endpoint(self._settings, scorer.endpoint)
        total = Calls()
        for neuron in neurons:
            if scorer.judge is None:
                made = previews.scoring(neuron, self._definition.polarity, score_options(scorer, 0), endpoint)
            else:
                made = previews.judging(neuron, judge_options(scorer, 0), endpoint, LIKELY)[0]
            total = total.plus(
                self._priced(scorer.endpoint, _purpose(scorer), made.calls, made.tokens_in, made.tokens_out)
            )
        return total.times(1 / len(neurons))

    def _priced(
        self, endpoint: str, purpose: str, calls: float, tokens_in: float, tokens_out: float
    ) -> Calls:
        asked = endpoints.endpoint(self._settings, endpoint)
        pace = self._pace(endpoint, purpose)
        likely = min(tokens_out, calls * pace.tokens_out) if pace else tokens_out
        return Calls(
            calls,
            tokens_in,
            tokens_out,
            price(asked, ceil(tokens_in), ceil(tokens_out)),
            price(asked, ceil(tokens_in), ceil(likely)),
        )

    def _count(self, lane: int, purpose: str, calls: float) -> None:
        self._lane_calls[lane, purpose] = self._lane_calls.get((lane, purpose), 0.0) + calls

    def _pace(self, endpoint: str, purpose: str) -> Pace | None:
        if (endpoint, purpose) not in self._paces:
            with self._store.session() as session:
                self._paces[endpoint, purpose] = ledger.pace(session, endpoint, purpose)
        return self._paces[endpoint, purpose]

    def _lanes(self, lanes: LaneNames, each: int) -> list[LaneLine]:
        found: list[LaneLine] = []
        simulated = round(each * self._lane_calls.get((LOCAL_MODEL, "simulate"), 0))
        if simulated:
            with self._store.session() as session:
                mean = simulations.pace(session, SimulatorName.LOCAL.value)
            seconds = None if mean is None else mean * simulated
            found.append(LaneLine("local model", simulated, 1, seconds, 0 if mean is None else 50))
        for i, name in enumerate(lanes.endpoints):
            at_once = endpoints.endpoint(self._settings, name).concurrency
            total, busy, seen, unknown = 0.0, 0.0, 0, False
            for purpose in ("explain", "simulate", "judge"):
                calls = each * self._lane_calls.get((FIRST_ENDPOINT + i, purpose), 0.0)
                pace = self._pace(name, purpose) if calls else None
                total += calls
                unknown = unknown or bool(calls and pace is None)
                busy += calls * pace.seconds if pace else 0.0
                seen += pace.calls if pace else 0
            found.append(LaneLine(name, round(total), at_once, None if unknown else busy / at_once, seen))
        return found


def _purpose(scorer: Scorer) -> str:
    """What the ledger calls its calls."""
    return "simulate" if scorer.judge is None else "judge"
