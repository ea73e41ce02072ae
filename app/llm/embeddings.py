"""What is asked of /embeddings and what comes back, checked: as many vectors as texts, of one length, finite, with a direction."""

import base64
import hashlib
import json
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ValidationError

from app.domain.embeddings import unit
from app.domain.explanations import Usage
from app.domain.neurons import Float32
from app.llm.messages import Counted
from app.llm.wire import Parsed, Unusable, what_is_wrong


@dataclass(frozen=True)
class EmbeddingRequest:
    """Texts to embed in one call. `nonce` as in `app.llm.messages.ChatRequest`."""

    endpoint: str
    texts: tuple[str, ...]
    dimension: int | None = None  # how many values each vector must have; None: as many as the first has
    nonce: str = ""

    def key(self, model: str = "", settings_json: str = "{}") -> str:
        """sha256 over the texts, the model that they go to and what the endpoint's settings change in the request."""
        said = ["embeddings", model, settings_json, self.endpoint, self.texts, self.nonce]
        return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Embedded:
    """Unit vectors [N, D], in the order of the texts."""

    vectors: Float32
    usage: Usage
    cached: bool = False  # found in the ledger, nothing was sent


class _Usage(BaseModel):
    prompt_tokens: int = 0


class _Vector(BaseModel):
    embedding: list[float]
    index: int | None = None


class _Answer(BaseModel):
    data: list[_Vector]
    usage: _Usage | None = None


def parse_embeddings(body: bytes, n: int, dimension: int | None) -> Parsed:
    """An answer of /embeddings to `n` texts; its vectors as `vectors_of` reads them. Raises Unusable."""
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError as error:
        raise Unusable(what_is_wrong(body, error)) from error
    counted = None if answer.usage is None else Counted(max(0, answer.usage.prompt_tokens), 0)
    if len(answer.data) != n:
        raise Unusable(f"the answer holds {len(answer.data)} vectors for {n} texts", counted)
    numbers = [at if one.index is None else one.index for at, one in enumerate(answer.data)]
    if sorted(numbers) != list(range(n)):
        raise Unusable("the answer does not say which vector belongs to which text", counted)
    lengths = sorted({len(one.embedding) for one in answer.data})
    if len(lengths) > 1 or not lengths[0]:
        raise Unusable(f"the answer's vectors have {' and '.join(map(str, lengths))} values", counted)
    if dimension is not None and lengths[0] != dimension:
        raise Unusable(
            f"the answer's vectors have {lengths[0]} values where {dimension} are stored of this model:"
            " give the endpoint another name if its model has changed",
            counted,
            again=False,
        )
    vectors = np.empty((n, lengths[0]))
    for number, one in zip(numbers, answer.data, strict=True):
        vectors[number] = one.embedding
    try:
        data = unit(vectors).astype("<f4").tobytes()
    except ValueError:
        raise Unusable("a vector of the answer is zero, or holds what is no number", counted) from None
    return Parsed(text=base64.b64encode(data).decode(), finish_reason="stop", counted=counted)


def vectors_of(parsed: Parsed, n: int) -> Float32:
    """The vectors [n, D] that `parse_embeddings` read."""
    return np.frombuffer(base64.b64decode(parsed.text), "<f4").reshape(n, -1).astype(np.float32)
