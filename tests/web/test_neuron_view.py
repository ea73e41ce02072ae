"""The query string holds the whole view, and nothing when nothing was chosen."""

from urllib.parse import parse_qsl

from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from app.domain.explanations import Protocol
from app.web import errors
from app.web.neuron_view import Context, Scale, Show, View, ViewDep

app = FastAPI()
errors.install(app)


@app.get("/")
async def echo(view: ViewDep) -> str:
    return repr(view)


client = TestClient(app)
views = st.builds(
    View,
    show=st.sampled_from(Show),
    scale=st.sampled_from(Scale),
    context=st.sampled_from(Context),
    breaks=st.booleans(),
    duplicates=st.booleans(),
    more=st.booleans(),
    protocol=st.sampled_from(Protocol),
    explanation=st.none() | st.integers(0, 10**9),
    simulation=st.none() | st.integers(0, 10**9),
    excerpt=st.none() | st.integers(0, 10**9),
    job=st.text(max_size=20),
)


@given(views)
def test_a_view_survives_its_address(view):
    assert client.get("/" + view.query()).json() == repr(view)


def test_the_default_leaves_no_trace():
    assert View().query() == ""
    assert View(show=Show.RANDOM).query(show=Show.TOP) == ""


def test_only_how_to_look_goes_along_to_a_neighbour():
    view = View(Show.COMPARE, Scale.OWN, Context.WHOLE, True, explanation=3, excerpt=4, job="x", more=True)
    assert dict(parse_qsl(view.carried()[1:])) == {"scale": "own", "context": "whole", "breaks": "1"}
    assert View(Show.RANDOM).carried() == "?show=random"


def test_nonsense_is_refused():
    for query in (
        "context=7",
        "explanation=x",
        "explanation=-1",
        "protocol=mean",
        "breaks=maybe",
        "job=" + "x" * 101,
        "excerpt=" + "9" * 30,
    ):
        answer = client.get(f"/?{query}", headers={"accept": "application/json"})
        assert answer.status_code == 422
        assert query.partition("=")[0] in answer.json()["error"]["message"]
    assert client.get("/?unknown=1").json() == repr(View())
