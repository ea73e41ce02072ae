"""Asking the API in tests."""

from typing import Any

from starlette.testclient import TestClient

API = "/api/v1"
MODEL = f"{API}/models/tiny-random"
NEURONS = f"{MODEL}/layers/0-mlp/neurons"


def get(client: TestClient, path: str, **params: object) -> Any:
    """The answer to a question that must succeed."""
    answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def message(client: TestClient, path: str, status: int, **params: object) -> str:
    """What is said to a question that must fail with this status."""
    answer = client.get(path, params=params)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["status"] == status
    return str(answer.json()["error"]["message"])
