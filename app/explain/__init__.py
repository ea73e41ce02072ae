"""Explanations of neurons: prompt formats, dry runs, checked answers, and the one without a language model."""

from app.explain.answers import check_answer
from app.explain.ask import Explained, explain
from app.explain.next_token import next_token_prompt
from app.explain.previews import Preview, preview
from app.explain.prompt import Prompt, build_prompt
from app.explain.token_linear import token_linear
from app.explain.token_lists import token_prompt, unread_prompt
from app.explain.token_lookup import token_lookup

__all__ = [
    "Explained",
    "Preview",
    "Prompt",
    "build_prompt",
    "check_answer",
    "explain",
    "next_token_prompt",
    "preview",
    "token_linear",
    "token_lookup",
    "token_prompt",
    "unread_prompt",
]
