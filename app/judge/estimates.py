"""What judging would take, before anything is sent: estimates, to be called so."""

from collections.abc import Sequence

from app.domain.judging import JudgeOptions
from app.domain.windows import A_SIDE
from app.judge import prompts
from app.llm.pricing import estimate_chat, estimate_tokens, price
from app.settings import Endpoint
from app.simulate.estimates import Estimate

WINDOWS = 2 * A_SIDE


def estimate(
    options: JudgeOptions, endpoint: Endpoint, explanation: str, passages: Sequence[str]
) -> Estimate:
    """For 50 + 50 windows that are about as long as these passages, with no call repeated."""
    each = [estimate_tokens(text) for text in passages] or [0]
    bare = estimate_chat(prompts.messages(options.metric, explanation, ()))
    calls = -(-WINDOWS // options.per_prompt)
    schema = estimate_tokens(prompts.schema(options.per_prompt))
    around = estimate_tokens("\nPassage 10: ")
    tokens_in = calls * (bare + schema) + round(WINDOWS * (around + sum(each) / len(each)))
    tokens_out = calls * (prompts.longest_answer(options.per_prompt) + endpoint.thinking_tokens)
    return Estimate(calls, tokens_in, tokens_out, price(endpoint, tokens_in, tokens_out))
