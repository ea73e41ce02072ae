"""Judges of statements about puzzles: nearest by embedding, or a language model. A person judges on a page."""

import asyncio
import json

from app.domain.puzzles import Judge, Puzzle, Verdict, nearest_is_truth
from app.jobs import embedders, endpoints
from app.jobs.requests import PuzzlesRequest
from app.jobs.runtime import Runtime
from app.settings import Settings


def name_of(settings: Settings, request: PuzzlesRequest) -> str:
    """Whom a request has judge, as results name it."""
    if request.judge is Judge.SIMILARITY:
        return embedders.embedder(settings).name
    return endpoints.endpoint(settings, request.judge_endpoint).title


async def verdict(
    runtime: Runtime, request: PuzzlesRequest, puzzle: Puzzle, statement: str, job_id: str
) -> Verdict:
    """What the request's judge says. Raises AnswerError, EndpointError, Refused, ModelError."""
    if request.judge is Judge.MODEL:
        from app.explain.judging import judge

        client = await runtime.client(request.judge_endpoint)
        return await judge(client, puzzle.truth, statement, job_id)
    return await _by_similarity(runtime, puzzle, statement, job_id)


async def _by_similarity(runtime: Runtime, puzzle: Puzzle, statement: str, job_id: str) -> Verdict:
    """Right where the truth is nearer to the statement than every false one; the similarities are kept."""
    texts = (statement, puzzle.truth, *puzzle.false)
    name = runtime.settings.embedding_endpoint
    if name is None:
        from app.embed import local

        vectors = await asyncio.to_thread(lambda: local.load().embed(list(texts)))  # [S, D]
    else:
        from app.llm.embeddings import EmbeddingRequest

        client = await runtime.client(name)
        vectors = (await client.embed(EmbeddingRequest(name, texts, None, "judge"), "judge", job_id)).vectors
    similarities = (vectors[1:] @ vectors[0]).tolist()
    detail = {"similarities": [round(value, 4) for value in similarities]}
    return Verdict(nearest_is_truth(similarities), detail_json=json.dumps(detail))
