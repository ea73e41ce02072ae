"""What a definition must hold to by itself, whatever models, neurons and endpoints there are."""

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite

from app.domain.experiments import (
    BY_NAME,
    BY_SCORE,
    DIRECT,
    JUDGED,
    NOT_IN_EXPERIMENTS,
    REVISING_METHODS,
    WITHOUT_EXPLAINER,
    Definition,
    Measure,
    Rule,
    SampleRule,
)
from app.domain.explain_options import demand_sound as demand_sound_options
from app.domain.explanations import (
    ASKING_SIMULATORS,
    PROMPTED_METHODS,
    ExplainOptions,
    Method,
    Metric,
    Protocol,
    measured,
)
from app.domain.neurons import EXCERPT_TOKENS
from app.domain.written import DESCRIPTION, NAME, one_line, prose
from app.errors import BadInput

MOST_ATTEMPTS = 10
ASKING_JUDGES = (Metric.DETECTION, Metric.FUZZING)
_SEEDS = 2**31  # what every endpoint takes


def problems(definition: Definition) -> list[str]:
    """Everything that is wrong with a definition, in sentences; empty for a sound one."""
    return [
        *_words(definition),
        *_crossed(definition),
        *sample_problems(definition.samples),
        *_plan(definition),
    ]


def demand_sound(definition: Definition) -> None:
    """BadInput that says all that is wrong at once."""
    found = problems(definition)
    if found:
        raise BadInput(" ".join(found))


def _words(d: Definition) -> Iterator[str]:
    try:
        one_line(d.name, "an experiment's name", NAME)
        prose(d.question, "a question", DESCRIPTION)
        for sample in d.samples:
            one_line(sample.label, "a sample's name", NAME)
    except BadInput as error:
        yield f"{error}."


def _crossed(d: Definition) -> Iterator[str]:
    asking = [method for method in d.methods if method not in WITHOUT_EXPLAINER]
    for name, values, needed in (
        ("methods", d.methods, True),
        ("seeds", d.seeds, True),
        ("evidence", d.evidence, True),
        ("candidates", d.candidates, True),
        ("models", d.models, any(sample.rule not in BY_NAME for sample in d.samples)),
        ("samples", d.samples, True),
        ("explainers", d.explainers, bool(asking)),
        ("protocols", d.protocols, bool(d.simulators)),
        ("simulators", d.simulators, False),
        ("judges", d.judges, False),
        ("metrics", d.metrics, False),
        ("contrasts", d.contrasts, False),
    ):
        if needed and not values:
            why = f": {asking[0]} asks a language model" if name == "explainers" else ""
            yield f"{name} is empty: give at least one{why}."
        yield from _repeated(name, values)
    if not d.simulators and not d.judges:
        yield from _unscored(d)
    for method in d.methods:
        if method in NOT_IN_EXPERIMENTS:
            yield f"methods: {method} is nothing that an experiment can ask for."
    for seed in d.seeds:
        if not 0 <= seed < _SEEDS:
            yield f"seeds: {seed} is not between 0 and {_SEEDS - 1}."
    yield from dict.fromkeys(_options(d))
    yield from _revised(d)
    yield from _scorers(d)


def _unscored(d: Definition) -> Iterator[str]:
    """An experiment may explain and no more; what goes by scores has no place in it."""
    wants = {
        "contrasts": bool(d.contrasts),
        "margin": d.margin is not None,
        "primary": d.primary is not None,
        "metrics": bool(d.metrics),
        "candidates": any(n > 1 for n in d.candidates),
    }
    for name, there in wants.items():
        if there:
            yield f"simulators and judges are both empty: nothing would be scored, and {name} goes by scores. Give at least one."


def _options(d: Definition) -> Iterator[str]:
    """What does not go together in an arm, whichever arms it is in."""
    for arm in d.arms():
        if arm.method in REVISING_METHODS:  # what it begins from is an arm that is checked itself
            continue
        options = ExplainOptions(
            arm.method, d.polarity, arm.explainer, shown=arm.shown, candidates=arm.candidates
        )
        try:
            demand_sound_options(options)
        except BadInput as error:
            yield error.sentence


def _revised(d: Definition) -> Iterator[str]:
    """What methods that begin from a statement, and scores on a revision's sentences, lack."""
    revising = [method for method in d.methods if method in REVISING_METHODS]
    if d.revise_from not in PROMPTED_METHODS:
        yield f"revise_from: nothing can begin from {d.revise_from}; choose {', '.join(PROMPTED_METHODS)}."
    elif revising and d.revise_from not in d.methods:
        yield (
            f"methods: {revising[0]} begins from a statement by {d.revise_from}: add {d.revise_from}, or name another of the"
            " methods as revise_from."
        )
    elif not revising and d.revise_from is not Definition.revise_from:
        yield "revise_from belongs to revision, its controls and probing, and methods holds none of them."
    if revising and any(shown.tokens != EXCERPT_TOKENS for shown in d.evidence):
        yield f"evidence: {revising[0]} is shown whole excerpts: leave tokens at {EXCERPT_TOKENS}."
    if Protocol.GENERATED in d.protocols and Method.REVISION not in d.methods:
        yield f"protocols: {Protocol.GENERATED} is scored on a revision's sentences: add the method revision."


def _scorers(d: Definition) -> Iterator[str]:
    for simulator in d.simulators:
        if simulator.name in ASKING_SIMULATORS and not simulator.endpoint:
            yield f"simulators: {simulator.name} asks a language model: name its endpoint."
        elif simulator.name not in ASKING_SIMULATORS and simulator.endpoint:
            yield f"simulators: {simulator.name} asks no endpoint: leave “{simulator.endpoint}” out."
    for judge in d.judges:
        if judge.metric not in JUDGED:
            there = ", ".join(JUDGED)
            yield f"judges: {judge.metric} comes with every simulation and needs no judge. Judges are: {there}."
        elif judge.metric in ASKING_JUDGES and not judge.endpoint:
            yield f"judges: {judge.metric} asks a language model: name its endpoint."
        elif judge.metric not in ASKING_JUDGES and judge.endpoint:
            yield f"judges: {judge.metric} asks no endpoint: leave “{judge.endpoint}” out."
        elif judge.metric is Metric.ABLATION and not d.simulators:
            yield "judges: ablation puts a simulation in the neuron's place: name a simulator."
        elif judge.metric is Metric.EMBEDDING and not judge.reference:
            yield "judges: embedding compares with another statement of the neuron: name the method of it as reference."
    for protocol in d.protocols:
        if protocol in (Protocol.AS_IMPORTED, Protocol.WINDOWS, Protocol.REFERENCE):
            yield f"protocols: nothing can be simulated on {protocol}: it belongs to imported scores or to judges."
    if d.simulators and all(s.name in DIRECT for s in d.simulators) and not d.judges:
        idle = [arm.name for arm in d.arms() if not any(scorer.fits(arm) for scorer in d.scorers())]
        if idle:
            yield (
                f"simulators: {d.simulators[0].name} predicts without a statement, so that nothing would score {', '.join(idle)}:"
                " add another simulator."
            )


def sample_problems(samples: Sequence[SampleRule]) -> Iterator[str]:
    """Everything that is wrong with samples, in sentences."""
    yield from _repeated("the names of samples", [sample.label for sample in samples])
    for i, sample in enumerate(samples, 1):
        if not 0 <= sample.seed < _SEEDS:
            yield f"seeds: {sample.seed} is not between 0 and {_SEEDS - 1}."
        for problem in _sample(sample):
            yield f"sample {i} ({sample.rule}): {problem}."


def _sample(sample: SampleRule) -> Iterator[str]:
    if sample.rule not in BY_NAME and sample.n < 1:
        yield f"n is {sample.n}: the sample would be empty"
    if sample.rule is Rule.LIST and bool(sample.list) == bool(sample.digest):
        yield "name a list by its slug, or a sample taken of one by its digest"
    if sample.rule is Rule.NEURONS and not sample.neurons:
        yield "neurons is empty: name them as model/layer/index"
    yield from (f"{problem}" for problem in _repeated("neurons", sample.neurons))
    yield from (f"{problem}" for problem in _repeated("layers", sample.layers))
    if sample.rule in BY_SCORE:
        yield from _measure(sample.measure)
        if not isfinite(sample.above):
            yield "above is no finite number"


def _measure(measure: Measure) -> Iterator[str]:
    pairs = measured(measure.protocol)
    if (measure.sample, measure.metric) not in pairs:
        there = ", ".join(dict.fromkeys(f"{metric} on {sample}" for sample, metric in pairs))
        yield f"{measure.protocol} has no {measure.metric} on {measure.sample}; it has {there}"


def _plan(d: Definition) -> Iterator[str]:
    names = [arm.name for arm in d.arms()] if d.methods else []
    for contrast in d.contrasts:
        for name in contrast:
            if name not in names:
                yield f"contrasts: there is no arm “{name}”; there is {', '.join(names) or 'none'}."
        if contrast.arm == contrast.against:
            yield f"contrasts: “{contrast.arm}” is set against itself."
    if d.margin is not None and not (isfinite(d.margin) and d.margin > 0):
        yield "margin must be a positive number: how much worse is still no worse."
    if d.margin is not None and not d.contrasts:
        yield "margin belongs to contrasts, and there are none."
    if d.budget_usd is not None and not isfinite(d.budget_usd):
        yield "budget_usd is no finite number."
    elif d.budget_usd is not None and d.budget_usd <= 0:
        yield "a budget of zero buys nothing: give a positive budget_usd, or leave it out for none."
    if not 1 <= d.attempts <= MOST_ATTEMPTS:
        yield f"attempts: {d.attempts} is not between 1 and {MOST_ATTEMPTS}."
    if d.primary is not None and (d.simulators or d.judges):
        for problem in _measure(d.primary.measure):
            yield f"primary: {problem}."
        try:
            d.decided_by()
        except LookupError:
            there = ", ".join(f"{scorer.label} ({scorer.protocol})" for scorer in d.scorers())
            named = f" by “{d.primary.scorer}”" if d.primary.scorer else ""
            yield f"primary: no scorer gives {d.primary.measure.label}{named}; the scorers are {there}."


def _repeated(name: str, values: Iterable[object]) -> Iterator[str]:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            yield f"{name} holds {_shown(value)} twice: that would be the same arm again."
        seen.add(value)


def _shown(value: object) -> str:
    return f"“{value}”" if isinstance(value, str | int | float) else str(value)
