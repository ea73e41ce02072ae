"""What every simulator is, and how one is made by its name."""

from typing import Protocol

from app.domain.explanations import Simulated, SimulatorName
from app.domain.neurons import Polarity, Records
from app.domain.token_lookup import TokenMeans
from app.domain.token_weights import TokenWeights
from app.domain.vocabulary import Vocabulary
from app.errors import BadInput
from app.gpu.protocol import SubjectService
from app.llm.client import Client
from app.simulate.chat_json import ChatJson
from app.simulate.local import Local
from app.simulate.logprobs import Logprobs
from app.simulate.one_at_a_time import OneAtATime
from app.simulate.token_linear import TokenLinear
from app.simulate.token_lookup import TokenLookup


class Simulator(Protocol):
    """From an explanation alone to the activations that it makes one expect."""

    name: SimulatorName

    async def simulate(
        self,
        explanation: str,
        records: Records,
        vocabulary: Vocabulary,
        polarity: Polarity,
        seed: int,
        job_id: str,
    ) -> Simulated:
        """Expected activations [R, T] of the explained sign (-a for the negative polarity) on the 0-10 scale.

        All or nothing: AnswerError where an answer cannot be used, EndpointError where none came, Refused over
        the spending cap or without a key, BadInput for an explanation or endpoint that does not fit, ModelError
        from a local model. The records' activations are not looked at. Equal calls of one job are answered from
        the ledger.
        """


def make(
    name: SimulatorName,
    client: Client | None = None,
    service: SubjectService | None = None,
    means: TokenMeans | None = None,
    weights: TokenWeights | None = None,
) -> Simulator:
    """The simulator of this name. BadInput where what it works with is missing or cannot serve it."""
    if name is SimulatorName.LOCAL:
        if service is None:
            raise BadInput("The simulator local needs a local model, and there is none.")
        return Local(service)
    if name is SimulatorName.TOKEN_LOOKUP:
        if means is None:
            raise BadInput("The simulator token_lookup needs the neuron's token means, and there are none.")
        return TokenLookup(means)
    if name is SimulatorName.TOKEN_LINEAR:
        if weights is None:
            raise BadInput("The simulator token_linear needs the model's weights, and there are none.")
        return TokenLinear(weights)
    if client is None:
        raise BadInput(f"The simulator {name} needs an endpoint: name one that the settings hold.")
    endpoint = client.endpoint
    if name is SimulatorName.LOGPROBS:
        if not endpoint.completions:
            raise BadInput(
                f"The simulator logprobs needs /completions, and “{endpoint.name}” is not set up for it"
                " (completions = true in the settings). Use chat_json or one_at_a_time."
            )
        return Logprobs(client)
    if name is SimulatorName.CHAT_JSON:
        if not endpoint.chat:
            raise BadInput(
                f"The simulator chat_json needs chats, and “{endpoint.name}” serves none. Use logprobs or"
                " one_at_a_time."
            )
        return ChatJson(client)
    if not (endpoint.chat or endpoint.completions):
        raise BadInput(
            f"The simulator one_at_a_time needs chats or completions, and “{endpoint.name}” serves neither."
        )
    return OneAtATime(client)
