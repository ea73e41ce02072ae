"""What may go wrong with a server, whatever it is asked: each with the words that a person then reads."""

import pytest

from app.settings import Endpoint
from tests import scripted_server as s

BROKEN_SERVERS = [
    pytest.param(s.server_error(), "HTTP 500", id="500"),
    pytest.param(s.server_error(400, "context too long"), "context too long", id="400"),
    pytest.param(s.rate_limited(retry_after=0), "HTTP 429", id="429"),
    pytest.param(s.rate_limited(retry_after=86400), "asks to wait 86400 s", id="429-for-a-day"),
    pytest.param(s.nonsense(), "no JSON", id="html"),
    pytest.param(s.truncated(), "cut short", id="truncated"),
    pytest.param(s.cut_off(), "broke", id="cut-off"),
    pytest.param(s.dropped(), "broke", id="dropped"),
    pytest.param(s.no_choices(), "no choice", id="no-choices"),
    pytest.param(s.json_reply([1, 2]), "unknown shape", id="other-json"),
]


def down(**fields: object) -> Endpoint:
    """An endpoint where nothing listens, tried twice."""
    return s.down_endpoint(attempts=2, **fields)
