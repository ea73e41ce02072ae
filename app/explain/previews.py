"""The dry run: what would be sent, how many tokens it is and what it may cost."""

from dataclasses import dataclass

from app.explain.prompt import MAX_TOKENS, Prompt
from app.llm.counting import count_chat
from app.llm.messages import Message
from app.llm.pricing import estimate_chat, price
from app.settings import Endpoint


@dataclass(frozen=True)
class Preview:
    """One explanation's request before it is sent."""

    messages: tuple[Message, ...]
    tokens: int  # of the prompt
    exact: (
        bool  # counted by the endpoint's own tokenizer; else `tokens` is an estimate and must be called one
    )
    max_tokens: int  # of the answer, what the model may think before it included
    # Of all candidates, each with the prompt and the longest answer; a try whose answer is no use is paid as well.
    price_usd: float
    candidates: int = 1


def preview(prompt: Prompt, endpoint: Endpoint, candidates: int = 1, unread: int = 0) -> Preview:
    """The dry run of a prompt; `unread` is about how many tokens it will have that are not in it yet. No language model is asked; a server on this machine is asked to count tokens.

    Blocks for up to a few seconds where that server is slow.
    """
    counted = count_chat(endpoint, prompt.messages)
    tokens = (estimate_chat(prompt.messages) if counted is None else counted) + unread
    longest = MAX_TOKENS + endpoint.thinking_tokens
    total = candidates * price(endpoint, tokens, longest)
    exact = counted is not None and not unread
    return Preview(prompt.messages, tokens, exact, longest, total, candidates)
