"""Which queue and which workflow each kind of job belongs to."""

from typing import NamedTuple

from app.jobs import (
    ablation,
    collect,
    embed,
    engine,
    experiment,
    explain,
    false_positives,
    judge,
    probe,
    puzzles,
    revise,
    score,
    similarity,
    transfer,
)
from app.jobs.requests import Kind


class KindOfJob(NamedTuple):
    queue: str
    workflow: engine.Workflow


KINDS: dict[str, KindOfJob] = {
    Kind.COLLECT: KindOfJob(engine.COLLECT, collect.collect),
    Kind.EXPLAIN: KindOfJob(engine.LLM, explain.explain_neuron),
    Kind.SCORE: KindOfJob(engine.LLM, score.score_explanation),
    Kind.EMBED: KindOfJob(engine.LLM, embed.embed_explanations),
    Kind.ABLATION: KindOfJob(engine.LLM, ablation.score_by_ablation),
    Kind.FALSE_POSITIVES: KindOfJob(engine.LLM, false_positives.find_false_positives),
    Kind.TRANSFER: KindOfJob(engine.LLM, transfer.transfer_explanation),
    Kind.PUZZLES: KindOfJob(engine.LLM, puzzles.run_puzzles),
    Kind.EXPERIMENT: KindOfJob(engine.EXPERIMENT, experiment.run_experiment),
    Kind.REVISE: KindOfJob(engine.LLM, revise.revise_explanation),
    Kind.PROBE: KindOfJob(engine.LLM, probe.probe_neuron),
    Kind.JUDGE: KindOfJob(engine.LLM, judge.judge_explanation),
    Kind.SIMILARITY: KindOfJob(engine.LLM, similarity.compare_explanations),
}
