"""The slow way that the local simulator must agree with: the whole prompt and the whole vocabulary, every
time."""

from collections.abc import Sequence

import numpy as np
import torch

from app.domain.neurons import Float32
from app.subject.load import Subject
from app.subject.simulator import LocalSimulator


def simulate_slowly(
    subject: Subject,
    simulator: LocalSimulator,
    explanation: str,
    excerpts: Sequence[Sequence[bytes]],
    seed: int = 0,
) -> Float32:
    """Expected activations float32 [R, T], 0-10: one forward pass an excerpt, nothing shared, no cache.

    `simulator` gives the wording of the prompt and the number tokens; the reading is done by other code than
    its own: probabilities over the whole vocabulary, those of the numbers picked out and made to sum to 1.
    """
    prompt, numbers = simulator.prompt, simulator.numbers
    out = []
    for pieces in excerpts:
        start = [*prompt.prefix(seed), *prompt.explanation(explanation)]
        question = prompt.excerpt(pieces)
        ids = torch.tensor([[*start, *question.ids]], device=subject.device)  # [1, P + E + L]
        with torch.inference_mode():
            logits = subject.model(input_ids=ids, use_cache=False).logits[0]  # [P + E + L, V]
            tabs = torch.tensor(question.tabs, device=subject.device) + len(start)  # [T]
            probabilities = torch.softmax(logits[tabs].float(), dim=-1)  # [T, V]
        weights = probabilities[:, list(numbers.ids)].cpu().numpy()  # [T, top + 1]
        expected = weights @ np.arange(numbers.top + 1) / weights.sum(axis=1)  # [T]
        out.append(expected * 10.0 / numbers.top)
    return np.array(out, np.float32)
