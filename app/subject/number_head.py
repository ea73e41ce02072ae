"""The few rows of a model's output head that write numbers."""

from typing import Any

import torch
from torch import Tensor

from app.errors import ModelError
from app.subject.number_tokens import NumberTokens

TOLERANCE = (
    1e-2  # of the logits' spread: half-precision models round, a head of another shape is off by much more
)


class NumberHead:
    """Logits of the number tokens alone, from hidden states after the last norm.

    Checked against the model's own full logits when made, so a model that computes them in another way is
    refused rather than misread: ModelError.
    """

    def __init__(self, model: Any, body: Any, numbers: NumberTokens) -> None:
        head = model.get_output_embeddings()
        if head is None or getattr(head, "weight", None) is None:
            raise ModelError("This model has no output head, so it cannot be a local simulator")
        ids = torch.tensor(numbers.ids, device=head.weight.device)
        self.weight = head.weight.detach()[ids].float()  # [n, width]
        bias = getattr(head, "bias", None)
        self.bias = None if bias is None else bias.detach()[ids].float()  # [n]
        # Gemma 2 squeezes its logits into ±cap.
        self.cap: float | None = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
        self._check(model, body, ids)

    def logits(self, hidden: Tensor) -> Tensor:
        """float32 [..., n] from `hidden` [..., width]."""
        logits = torch.nn.functional.linear(hidden.float(), self.weight, self.bias)  # [..., n]
        return torch.tanh(logits / self.cap) * self.cap if self.cap else logits

    def _check(self, model: Any, body: Any, ids: Tensor) -> None:
        with torch.inference_mode():
            hidden = body(input_ids=ids[None], use_cache=False).last_hidden_state  # [1, n, width]
            ours = self.logits(hidden)  # [1, n, n]
            theirs = model(input_ids=ids[None], use_cache=False).logits[..., ids].float()  # [1, n, n]
        spread = float((theirs.max() - theirs.min()).clamp_min(1e-6))
        if not float((ours - theirs).abs().max()) <= TOLERANCE * spread:
            raise ModelError("This model computes its logits in a way that the local simulator does not know")
