"""Results of made-up experiments, drawn from a seed: what reports read, without any store."""

from collections.abc import Sequence

import numpy as np

from app.domain.explanations import Metric, Protocol, Sample, State
from app.domain.neurons import NeuronRef, Polarity
from app.domain.report_plan import Contrast, Evaluation, Plan, Primary
from app.domain.results import Result

ARMS = ("original", "summary", "highlight", "hs", "token_lookup")
MODEL = "tiny-random"
LOCAL = "local / SmolLM2"
TOP = (Protocol.HELDOUT_FULL, Sample.TOP_AND_RANDOM, Metric.CORRELATION)
RANDOM = (Protocol.HELDOUT_FULL, Sample.RANDOM_ONLY, Metric.CORRELATION)
TOP_EVALUATION = Evaluation(MODEL, *TOP, LOCAL)
PROMPTS = {"original": 2300, "summary": 950, "highlight": 880, "hs": 1030, "token_lookup": 0}


def result(
    index: int = 0,
    arm: str = "summary",
    value: float | None = 0.5,
    *,
    state: State | None = None,
    seed: int = 0,
    measure: tuple[Protocol, Sample, Metric] = TOP,
    model: str = MODEL,
    layer: int = 0,
    simulator: str = LOCAL,
    floor: float | None = None,
    reason: str = "",
    explanation_id: int | None = 1,
    polarity: Polarity = Polarity.POSITIVE,
) -> Result:
    """One result; without a value it has failed."""
    state = state or (State.FAILED if value is None else State.OK)
    free = arm.startswith("token")
    return Result(
        ref=NeuronRef(model, f"{layer}-mlp", index),
        layer=layer,
        polarity=polarity,
        method=arm.partition("@")[0],
        explainer="none" if free else "paid / big",
        evidence="top 5 x 64",
        arm=arm,
        seed=seed,
        simulator=simulator,
        protocol=measure[0],
        sample=measure[1],
        metric=measure[2],
        state=state,
        value=value,
        reason=reason or ("" if state is State.OK else f"because of {state.value}"),
        explanation_id=explanation_id,
        text=f"words of kind {index % 7}",
        prompt_tokens=PROMPTS.get(arm, 1000),
        tokens_in=PROMPTS.get(arm, 1000) + 800,
        tokens_out=60,
        cost_usd=0.0 if free else 0.01,
        explain_seconds=0.0 if free else 2.0,
        score_seconds=1.0,
        floor=floor,
    )


def experiment(
    neurons: int = 12,
    *,
    arms: Sequence[str] = ARMS,
    seeds: int = 2,
    layers: int = 3,
    models: Sequence[str] = (MODEL,),
    draw: int = 0,
    failing: float = 0.05,
    measures: Sequence[tuple[Protocol, Sample, Metric]] = (TOP, RANDOM),
) -> list[Result]:
    """Every neuron by every arm, seed and measure: arms differ a little, neurons much, some results have no value."""
    rng = np.random.default_rng(draw)
    made = []
    for model in models:
        for neuron in range(neurons):
            ability = rng.beta(2, 4)
            for a, arm in enumerate(arms):
                for seed in range(seeds):
                    said = ability + 0.02 * a + rng.normal(0, 0.05)
                    for measure in measures:
                        value = float(np.clip(said + rng.normal(0, 0.05), -1, 1))
                        state = State.OK
                        if rng.random() < failing:
                            state = (State.FAILED, State.CONSTANT_PREDICTION, State.TOO_FEW_ACTIVE)[
                                rng.integers(3)
                            ]
                        made.append(
                            result(
                                neuron,
                                arm,
                                value if state is State.OK else None,
                                state=state,
                                seed=seed,
                                measure=measure,
                                model=model,
                                layer=neuron % layers,
                                floor=0.1 if measure[2] is Metric.EMBEDDING else None,
                            )
                        )
    return made


def plan(arms: Sequence[str] = ARMS, **changes: object) -> Plan:
    """The definition of such an experiment: everything against the first arm."""
    usual = {
        "experiment": "7",
        "name": "Five methods",
        "definition_hash": "0f" * 32,
        "arms": tuple(arms),
        "primary": Primary(*TOP),
        "contrasts": tuple(Contrast(arm, arms[0]) for arm in arms[1:]),
        "margin": 0.05,
        "neurons": 12,
    }
    return Plan(**{**usual, **changes})  # type: ignore[arg-type]
