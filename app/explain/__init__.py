"""Explanations of neurons: prompt formats, dry runs, checked answers, and the one without a language model."""

from app.explain.answers import check_answer
from app.explain.ask import Explained, explain
from app.explain.previews import Preview, preview
from app.explain.prompt import Prompt, build_prompt
from app.explain.token_lookup import token_lookup

__all__ = [
    "Explained",
    "Preview",
    "Prompt",
    "build_prompt",
    "check_answer",
    "explain",
    "preview",
    "token_lookup",
]
