"""What embeds texts for search by meaning: the endpoint of the settings, or the local model. Light enough for `web`."""

import asyncio
import hashlib
import json

from app.domain.embeddings import Embedder
from app.domain.neurons import Float32
from app.embed import local
from app.errors import BadInput, EndpointError
from app.jobs import endpoints
from app.jobs.caps import caps
from app.jobs.ledger import StoreLedger
from app.settings import Settings
from app.store import Store, embeddings

LONGEST_QUERY = 2000  # characters
PATIENCE_SECONDS = 15.0  # somebody waits for a page
TRIES = 2
QUERY = "query"  # sets the request of a query apart from those of jobs


def not_set_up(settings: Settings) -> str:
    """Why there is no search by meaning and what to do about it; empty where there is."""
    try:
        embedder(settings)
    except BadInput as error:
        return error.sentence
    return ""


def embedder(settings: Settings) -> Embedder:
    """Who embeds. BadInput that says how to set it up where nobody does. Loads and asks nothing."""
    if settings.embedding_endpoint is not None:
        asked = endpoints.endpoint(settings, settings.embedding_endpoint)
        said = json.dumps([asked.model, asked.extra], sort_keys=True)
        return Embedder(asked.title, hashlib.sha256(said.encode()).hexdigest())
    found = local.embedder()
    if found is None:
        raise BadInput(f"Search by meaning is not set up: {local.SET_UP}.")
    return found


def query_vector(settings: Settings, store: Store, text: str) -> Float32:
    """The unit vector [D] of what somebody looks for. Blocks, some 10 ms with the local model; call it from a thread.

    BadInput for an empty or very long text and where nothing embeds; EndpointError after at most
    `PATIENCE_SECONDS`, Refused over the cap. An endpoint is asked once for the same text: its answer is in the ledger.
    """
    text = text.strip()
    if not text:
        raise BadInput("Search by meaning needs some words.")
    if len(text) > LONGEST_QUERY:
        raise BadInput(f"Search by meaning takes at most {LONGEST_QUERY:,} characters: shorten the text.")
    by = embedder(settings)
    if settings.embedding_endpoint is None:
        vector: Float32 = local.load().embed([text])[0]
        return vector
    return asyncio.run(_asked(settings, settings.embedding_endpoint, store, by, text))


async def _asked(settings: Settings, name: str, store: Store, by: Embedder, text: str) -> Float32:
    from app.llm.client import Client
    from app.llm.embeddings import EmbeddingRequest

    with store.session() as session:
        dimension = embeddings.dimension(session, by)
    asked = endpoints.endpoint(settings, name)
    hurried = asked.model_copy(
        update={"attempts": min(TRIES, asked.attempts), "timeout_s": min(PATIENCE_SECONDS, asked.timeout_s)}
    )
    request = EmbeddingRequest(name, (text,), dimension, QUERY)
    try:
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            Client(hurried, StoreLedger(store), lambda _: caps(settings)) as client,
        ):
            vector: Float32 = (await client.embed(request, "search", "")).vectors[0]
            return vector
    except TimeoutError:
        raise EndpointError(
            f"Endpoint “{name}” gave no embedding within {PATIENCE_SECONDS:.0f} s. Try again, or search by words."
        ) from None
