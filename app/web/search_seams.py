"""What a search reaches and other parts of the web bring: search by meaning, and lists. Either may be absent.

`app.state.semantic` and `app.state.list_members` are set where they exist.
"""

from collections.abc import Callable, Collection, Sequence
from typing import cast

from starlette.requests import Request

from app.domain.neurons import NeuronRef
from app.store import Session, Store

# (store, model's slug, what was asked, how many) -> ids of explanations, the nearest first
Semantic = Callable[[Store, str, str, int], Sequence[int]]
# (session, id of the list) -> its neurons, of whatever model. Raises NotFound that says which lists there are
ListMembers = Callable[[Session, int], Collection[NeuronRef]]


def semantic(request: Request) -> Semantic | None:
    """Search by meaning, if there is any."""
    return cast("Semantic | None", getattr(request.app.state, "semantic", None))


def list_members(request: Request) -> ListMembers | None:
    """The neurons of a list, if there are lists."""
    return cast("ListMembers | None", getattr(request.app.state, "list_members", None))
