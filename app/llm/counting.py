"""Exact token counts, asked of a server on this machine: nothing leaves it, and no model is run.

vLLM counts a chat at /tokenize; llama.cpp's server makes the prompt at /apply-template and counts it at /tokenize.
Other servers have neither.
"""

import http.client
import json
from collections.abc import Sequence
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from app.llm.messages import Message
from app.llm.transport import is_loopback
from app.settings import Endpoint

TIMEOUT_S = 2.0


def count_chat(endpoint: Endpoint, messages: Sequence[Message]) -> int | None:
    """Tokens of the chat as this server's model sees it; None where the server is not ours or cannot say.

    Blocks for at most a few seconds.
    """
    if not is_loopback(endpoint) or not endpoint.api_key():
        return None
    chat = [{"role": m.role, "content": m.content} for m in messages]
    counted = _post(endpoint, "/tokenize", {"model": endpoint.model, "messages": chat})
    if counted is None:
        return None
    count = counted.get("count")
    if isinstance(count, int) and count:
        return count
    templated = _post(endpoint, "/apply-template", {"messages": chat})
    if templated is None or not isinstance(templated.get("prompt"), str):
        return None
    asked = {"content": templated["prompt"], "add_special": True, "parse_special": True}
    counted = _post(endpoint, "/tokenize", asked)
    tokens = (counted or {}).get("tokens")
    return len(tokens) if isinstance(tokens, list) and tokens else None


def _post(endpoint: Endpoint, path: str, body: object) -> dict[str, object] | None:
    """A JSON object from the server's own root, which is what /v1 hangs from; None for anything else."""
    parts = urlsplit(endpoint.base_url)
    root = parts.path.rstrip("/").removesuffix("/v1")
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {endpoint.api_key()}"}
    request = Request(  # noqa: S310  (http or https to loopback, checked by the caller)
        f"{parts.scheme}://{parts.netloc}{root}{path}", json.dumps(body).encode(), headers
    )
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_S) as answer:
            value = json.loads(answer.read())
    except (URLError, OSError, ValueError, http.client.HTTPException):
        return None
    return value if isinstance(value, dict) else None
