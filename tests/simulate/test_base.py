"""Simulators by name."""

from collections.abc import Callable

import numpy as np
import pytest

from app.domain.explanations import SimulatorName
from app.domain.token_lookup import TokenMeans
from app.domain.token_weights import TokenWeights
from app.errors import BadInput
from app.llm.client import Client
from app.simulate import make
from tests.simulate.test_local import Service

MEANS = TokenMeans(np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.int32), 0.0)
WEIGHTS = TokenWeights(np.ones((1, 3), np.float32), np.ones((1, 3), np.float32))


@pytest.mark.parametrize("name", list(SimulatorName))
def test_every_name_makes_its_simulator(name: SimulatorName, make_client: Callable[..., Client]) -> None:
    assert make(name, make_client(), Service(), MEANS, WEIGHTS).name is name


@pytest.mark.parametrize("name", list(SimulatorName))
def test_what_is_missing_is_said(name: SimulatorName) -> None:
    with pytest.raises(BadInput, match=f"The simulator {name} needs"):
        make(name)


def test_an_endpoint_that_cannot_serve_is_refused_with_what_to_use_instead(
    make_client: Callable[..., Client],
) -> None:
    with pytest.raises(BadInput, match=r"logprobs needs /completions.* Use chat_json or one_at_a_time"):
        make(SimulatorName.LOGPROBS, make_client(completions=False))
    with pytest.raises(BadInput, match=r"chat_json needs chats.* Use logprobs or"):
        make(SimulatorName.CHAT_JSON, make_client(chat=False))
    with pytest.raises(BadInput, match="one_at_a_time needs"):
        make(SimulatorName.ONE_AT_A_TIME, make_client(chat=False, completions=False))
