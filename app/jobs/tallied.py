"""A client that remembers what its answers took, for work whose failure is stored with it."""

from app.domain.explanations import Usage
from app.llm.client import Client
from app.llm.messages import ChatRequest, Completion


class Tallied(Client):
    """Asks as another client does, with its limits and connections, and sums up what answers took, also those of no use."""

    def __init__(self, client: Client) -> None:
        self.__dict__.update(client.__dict__)
        self.took = Usage()

    async def chat(self, request: ChatRequest, purpose: str, job_id: str) -> Completion:
        """See `Client.chat`."""
        answer = await super().chat(request, purpose, job_id)
        self.took = self.took.plus(answer.usage)
        return answer
