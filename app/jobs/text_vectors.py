"""Vectors of a few texts for a job: those that are stored, the rest embedded now by whoever embeds here."""

from collections.abc import Sequence

import numpy as np

from app.domain.embeddings import text_hash, unit
from app.domain.neurons import Float32, Float64
from app.jobs import embedders, endpoints
from app.jobs.lifecycle import in_thread
from app.jobs.runtime import Runtime
from app.store import embeddings


async def vectors(runtime: Runtime, job_id: str, texts: Sequence[str]) -> Float64:
    """Unit vectors [N, D], in the order of the texts; each text is embedded once.

    What is embedded here is not added to search by meaning. BadInput where nothing embeds, EndpointError, Refused over the cap. An
    endpoint's answers are in the ledger.
    """
    by = embedders.embedder(runtime.settings)
    said = {text_hash(text): text.strip() for text in texts}
    there = await runtime.db(lambda s: embeddings.known(s, by, set(said)))
    missing = [each for each in said if each not in there]
    if missing:
        found = await _embedded(runtime, job_id, [said[each] for each in missing])
        there |= dict(zip(missing, found, strict=True))
    return unit(np.stack([there[text_hash(text)] for text in texts])).astype(np.float64)


async def _embedded(runtime: Runtime, job_id: str, texts: Sequence[str]) -> Float32:
    name = runtime.settings.embedding_endpoint
    if name is None:
        from app.embed import local

        return await in_thread(lambda stop: local.load().embed(texts, stop.is_set))
    from app.llm.client import Client
    from app.llm.embeddings import EmbeddingRequest
    from app.simulate.parallel import all_or_nothing

    by = embedders.embedder(runtime.settings)
    size = runtime.settings.embedding_batch
    parts = [tuple(texts[at : at + size]) for at in range(0, len(texts), size)]
    dimension = await runtime.db(lambda s: embeddings.dimension(s, by))
    asked = endpoints.endpoint(runtime.settings, name)
    async with Client(asked, runtime.ledger, runtime.caps, runtime.sample_of) as client:

        async def one(index: int) -> Float32:
            request = EmbeddingRequest(name, parts[index], dimension, "compare")
            return (await client.embed(request, "embed", job_id)).vectors

        return np.concatenate(await all_or_nothing(len(parts), one))
