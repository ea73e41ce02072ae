"""What thousands of explanations and scores share, stored once: where they come from, and with which parameters."""

from app.store import sql
from app.store import tables as t
from app.store.session import Session


def origin_id(
    s: Session,
    *,
    method: str,
    explainer: str,
    author: str,
    prompt_version: str = "",
    parameters_json: str = "{}",
    code_version: str = "",
) -> int:
    """The id of a provenance; made where it is not there yet."""
    words = {
        "method": method,
        "explainer": explainer,
        "prompt_version": prompt_version,
        "parameters_json": parameters_json,
        "code_version": code_version,
        "author": author,
    }
    return sql.interned(s, t.origins, "digest", sql.digest(*words.values()), **words)


def parameters_id(s: Session, json: str) -> int:
    """The id of parameters; made where they are not there yet."""
    return sql.interned(s, t.parameters, "digest", sql.digest(json), json=json)
