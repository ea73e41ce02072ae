"""What simulating with a language model would take, before anything is sent: estimates, to be called so."""

from collections.abc import Sequence
from typing import NamedTuple

from app.domain.explanations import SimulatorName
from app.llm.pricing import estimate_chat, estimate_tokens, price
from app.settings import Endpoint
from app.simulate import chat_json
from app.simulate.prompts import fields, instruction, one_at_a_time, one_line, one_pass

LIKELY = (
    "words about something that a short phrase can name"  # stands for an explanation that is yet to be made
)


class Estimate(NamedTuple):
    """Calls with their tokens and price, should each answer be as long as it may be and no call be repeated."""

    calls: int
    tokens_in: int
    tokens_out: int
    price_usd: float


def estimate(
    simulator: SimulatorName, endpoint: Endpoint, explanation: str, excerpts: Sequence[Sequence[bytes]]
) -> Estimate:
    """For these excerpts, each given as its tokens' bytes. Simulators that ask nobody take nothing."""
    line = one_line(explanation)
    match simulator:
        case SimulatorName.CHAT_JSON:
            each = [_chat_json(line, pieces, endpoint) for pieces in excerpts]
        case SimulatorName.LOGPROBS:
            each = [(1, estimate_tokens(one_pass(line, pieces, 0, 10).text), 1) for pieces in excerpts]
        case SimulatorName.ONE_AT_A_TIME:
            each = [_one_at_a_time(line, pieces) for pieces in excerpts]
        case _:
            each = []
    calls, tokens_in, tokens_out = (sum(one[i] for one in each) for i in range(3))
    return Estimate(calls, tokens_in, tokens_out, price(endpoint, tokens_in, tokens_out))


def _chat_json(line: str, pieces: Sequence[bytes], endpoint: Endpoint) -> tuple[int, int, int]:
    tokens = fields(pieces)
    asked = estimate_chat(chat_json.prompt(line, tokens)) + estimate_tokens(chat_json.schema(tokens))
    return 1, asked, chat_json.longest_answer(tokens) + endpoint.thinking_tokens


def _one_at_a_time(line: str, pieces: Sequence[bytes]) -> tuple[int, int, int]:
    """A call a token; prompts grow evenly from the first to the last."""
    count = len(pieces)
    first, last = (
        estimate_tokens(instruction(9) + one_at_a_time(line, pieces, [0] * at, 9)) for at in (0, count - 1)
    )
    return count, count * (first + last) // 2, count
