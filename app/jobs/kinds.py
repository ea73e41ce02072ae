"""Which queue and which workflow each kind of job belongs to."""

from typing import NamedTuple

from app.jobs import collect, embed, engine, explain, score
from app.jobs.requests import Kind


class KindOfJob(NamedTuple):
    queue: str
    workflow: engine.Workflow


KINDS: dict[str, KindOfJob] = {
    Kind.COLLECT: KindOfJob(engine.COLLECT, collect.collect),
    Kind.EXPLAIN: KindOfJob(engine.LLM, explain.explain_neuron),
    Kind.SCORE: KindOfJob(engine.LLM, score.score_explanation),
    Kind.EMBED: KindOfJob(engine.LLM, embed.embed_explanations),
}
