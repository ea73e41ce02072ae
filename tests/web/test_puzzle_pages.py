"""Pages of neuron puzzles: what they show, what they hide, and judging that tells nothing of who said what."""

import json
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.domain.puzzles import OWN_SET
from app.exchange.puzzles import built_in
from app.store import Store, jobs, puzzle_rating, puzzle_results
from app.web.author import LOCAL
from tests.web.puzzle_world import EMBEDDER, EXPLAINER, RUN, fill

TOKEN = re.compile(r'name="token" value="([0-9a-f]{24})"')


def text(client: TestClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_an_empty_store_offers_the_built_in_set(client: TestClient, tiny_store: Store) -> None:
    assert f"The program brings {len(built_in())} puzzles of its own." in text(client, "/puzzles")
    assert client.get(f"/puzzles/{OWN_SET}").status_code == 404
    assert "Nothing is left to judge" in text(client, "/puzzles/rate")
    added = client.post("/puzzles/add")
    assert (added.status_code, added.headers["location"]) == (303, f"/puzzles/{OWN_SET}")
    shown = text(client, f"/puzzles/{OWN_SET}")
    assert shown.count(f'href="/m/{OWN_SET}/puzzles/') == len(built_in())
    assert "built-in set has grown" not in text(client, "/puzzles")
    assert f'href="/puzzles/{OWN_SET}"' in text(client, "/puzzles")


def test_a_puzzle_s_page_hides_what_it_looks_for(client: TestClient, tiny_store: Store) -> None:
    fill(tiny_store)
    shown = text(client, f"/m/{OWN_SET}/puzzles/0")
    puzzle = built_in()[0]
    assert shown.count('class="rec"') == len(puzzle.sentences)
    silent = sum(not any(row) for row in puzzle.active)
    assert shown.count('<span class="val soft">silent</span>') == silent > 0
    assert len(re.findall(r'class="a\d pk"', shown)) == len(puzzle.sentences) - silent
    before, _, hidden = shown.partition('<details class="panel reveal">')
    inside, _, after = hidden.partition("</details>")
    assert puzzle.truth in inside and puzzle.truth not in before
    assert all(each in inside for each in puzzle.false)
    # An explainer found the truth: that too is behind a summary.
    tried = after.partition('<details class="tried">')[2].partition("</details>")[0]
    assert puzzle.truth in tried and after.replace(tried, "").count(puzzle.truth) == 0
    form = re.search(r'<form class="panel stack" id="explain-again".*?</form>', shown, re.S)
    assert form and 'name="simulator"' not in form[0] and 'value="avhs"' in form[0]
    assert client.get(f"/m/{OWN_SET}/puzzles/99").status_code == 404


def test_a_puzzle_is_explained_from_its_page(client: TestClient, tiny_store: Store) -> None:
    fill(tiny_store)
    preview = text(client, f"/m/{OWN_SET}/puzzles/0/preview?method=summary&explainer=local")
    assert "some excerpts the neuron is silent" in preview and "opened a savings account" in preview
    data = {"method": "hs", "explainer": "local", "seed": "4"}
    answer = client.post(f"/m/{OWN_SET}/puzzles/0/explain", data=data)
    assert answer.status_code == 303, answer.text
    with tiny_store.session() as s:
        job = next(each for each in jobs.list_jobs(s) if each.kind == "puzzles")
    assert (job.kind, job.model) == ("puzzles", OWN_SET)
    asked = json.loads(job.parameters_json)
    assert (asked["puzzles"], asked["explain"]["method"], asked["explain"]["seed"]) == ([0], "hs", 4)
    refused = client.post(f"/m/{OWN_SET}/puzzles/0/explain", data={**data, "simulator": "local"})
    assert refused.status_code == 422 and "no held-out text to score on" in refused.text


def test_results_say_k_of_n_and_lead_to_their_statements(client: TestClient, tiny_store: Store) -> None:
    made = fill(tiny_store)
    for address in ("/puzzles", f"/puzzles/{OWN_SET}"):
        shown = text(client, address)
        assert "right 2/4, with revision 3/4 (+1, −0)" in shown
        assert f"judged by similarity: the truth is nearest, by {EMBEDDER}" in shown
        assert "1 statement without a verdict" in shown
        assert "truth ranked first 2/3, in the top two 3/3; simulated by local TinyLM" in shown
        assert "<b>1 × failed.</b> “secretive” gave no usable explanation" in shown
    address = f"/puzzles/{OWN_SET}/runs/{RUN}"
    shown = text(client, address)
    for id_ in (*made.first.values(), *made.revised.values()):
        assert f'href="/explanations/{id_}"' in shown or id_ == made.first[4]
    assert "ships &lt;b&gt;and&lt;/b&gt; &amp; boats" in shown
    assert "truth in place 2, simulated by local TinyLM" in shown

    def names(query: str) -> list[str]:
        return re.findall(
            r'<h3><a href="/m/neuron-puzzles/puzzles/\d+">([^<]+)', text(client, address + query)
        )

    every = [puzzle.name for puzzle in built_in()[:6]]
    assert names("") == names("?judge=similarity&show=all") == every
    assert names("?judge=similarity&show=right") == every[:3]
    assert names("?judge=similarity&show=wrong") == [every[3]]
    assert names("?judge=similarity&show=none") == every[4:]
    assert client.get(f"{address}?show=x").status_code == 422
    assert client.get(f"/puzzles/{OWN_SET}/runs/none").status_code == 404


def test_a_person_judges_without_learning_who_said_it(
    client: TestClient, tiny_store: Store, tmp_path: Path
) -> None:
    made = fill(tiny_store)
    fill(tiny_store, "puzzles-other", 2)  # says the same of puzzles 0 and 1: no statement more to judge
    seen = []
    for left in range(7, 0, -1):
        shown = text(client, "/puzzles/rate")
        assert f"{left} statement" in shown
        for secret in (
            EXPLAINER,
            "secretive",
            "oracle",
            "summary",
            "revision",
            RUN,
            "puzzles-other",
            EMBEDDER,
            "/explanations/",
        ):
            assert secret not in shown, secret
        token = TOKEN.search(shown)
        assert token
        statement, truth = (
            re.search(rf"<dt>{dt}</dt><dd class=\"statement\"><bdi>(.*?)</bdi>", shown)
            for dt in ("the statement", "the truth, by the puzzle's author")
        )
        assert statement and truth
        seen.append(statement[1])
        right = "yes" if statement[1] == truth[1] else "no"
        answer = client.post("/puzzles/rate", data={"token": token[1], "right": right})
        assert (answer.status_code, answer.headers["location"]) == (303, "/puzzles/rate")
        again = client.post("/puzzles/rate", data={"token": token[1], "right": "yes"})
        assert again.status_code == 303  # and counts no more
    assert "Nothing is left to judge" in text(client, "/puzzles/rate")
    assert len(set(seen)) == 7 and seen != sorted(seen)
    with tiny_store.session() as s:
        assert puzzle_rating.waiting(s, LOCAL) == [] and len(puzzle_rating.waiting(s, "another")) == 7
        other, first = puzzle_results.results(s, OWN_SET)
    assert first.run.id == RUN
    [person] = [each for each in first.judges if each.judge == "person"]
    assert (person.first, person.final, person.name) == ((3, 5), (3, 4), "local")
    [person] = other.judges
    assert person.first == (2, 2)
    assert "judged by a person: local" in text(client, "/puzzles")
    assert made.first[0] != made.first[1]


@pytest.mark.parametrize("data", [{"token": "0" * 24, "right": "yes"}, {"token": "x", "right": "maybe"}])
def test_a_verdict_on_nothing_is_refused(client: TestClient, tiny_store: Store, data: dict[str, str]) -> None:
    fill(tiny_store)
    assert client.post("/puzzles/rate", data=data).status_code in (404, 422)


def test_a_later_statement_can_be_looked_at_first(client: TestClient, tiny_store: Store) -> None:
    fill(tiny_store)
    tokens = []
    address = "/puzzles/rate"
    for _ in range(8):
        found = TOKEN.search(text(client, address))
        assert found
        tokens.append(found[1])
        address = f"/puzzles/rate?after={found[1]}"
    assert len(set(tokens)) == 7 and tokens[7] == tokens[0]


def test_a_run_is_asked_for_on_the_page_and_what_cannot_be_is_said(
    client: TestClient, tiny_store: Store
) -> None:
    fill(tiny_store)
    address = f"/puzzles/{OWN_SET}/runs"
    asked = {
        "explainer": "local", "method": "avhs", "seed": "2", "judge": "model", "judge_endpoint": "paid",
        "revise_with": "chat_json", "rank_with": "", "simulator_endpoint": "local", "simulator_model": "",
    }  # fmt: skip
    answer = client.post(address, data=asked)
    assert answer.status_code == 303 and answer.headers["location"].startswith("/jobs/puzzles-"), answer.text
    assert f'href="/puzzles/{OWN_SET}#results"' in text(client, answer.headers["location"])
    assert "Explain neuron-puzzles by avhs" in text(client, f"/puzzles/{OWN_SET}")
    for change, why in (
        ({"explainer": ""}, "second round needs a first"),
        ({"explainer": "", "revise_with": "", "judge": ""}, "nothing to do"),
        ({"method": "token_lookup"}, "not by token_lookup"),
        ({"method": "x"}, "no method “x”"),
        ({"judge": "x"}, "no judge “x”"),
        ({"rank_with": "x"}, "no simulator “x”"),
        ({"rank_with": "logprobs"}, "simulated by local or chat_json"),
        ({"simulator_model": "nobody", "rank_with": "local"}, "no weights here"),
    ):
        refused = client.post(address, data={**asked, **change})
        assert refused.status_code in (404, 422) and why in refused.text, (change, refused.text[:300])


def test_the_api_has_what_the_pages_show(client: TestClient, tiny_store: Store) -> None:
    made = fill(tiny_store)
    [one] = client.get("/api/v1/puzzles").json()["items"]
    assert one == {
        "slug": OWN_SET,
        "name": "Neuron puzzles",
        "puzzles": len(built_in()),
        "source": "built in",
    }
    items = client.get(f"/api/v1/puzzles/{OWN_SET}").json()["items"]
    assert [each["truth"] for each in items] == [puzzle.truth for puzzle in built_in()]
    assert items[0]["sentences"][0]["tokens"] == list(built_in()[0].sentences[0].pieces)
    [run] = client.get(f"/api/v1/puzzles/{OWN_SET}/runs").json()["items"]
    [judge], [ranking] = run["judges"], run["rankings"]
    assert (judge["first"], judge["final"]) == ({"right": 2, "judged": 4}, {"right": 3, "judged": 4})
    assert (ranking["ranked"], ranking["first"], ranking["top_two"]) == (3, 2, 3)
    assert run["failures"][0]["times"] == 1 and run["explained"] == 5
    whole = client.get(f"/api/v1/puzzles/{OWN_SET}/runs/{RUN}").json()
    assert {key: whole[key] for key in run} == run
    assert whole["lines"][2]["revised"]["explanation"] == made.revised[2]
    assert whole["lines"][2]["revised"]["verdicts"] == [
        {"judge": "similarity", "name": EMBEDDER, "right": True}
    ]
    assert whole["lines"][4]["first"]["state"] == "failed" and whole["lines"][5]["revised"] is None
    started = client.post(f"/api/v1/puzzles/{OWN_SET}/runs", json={"explainer": "local", "puzzles": [1, 2]})
    assert started.status_code == 202 and started.json()["job_id"].startswith("puzzles-")
    assert client.post(f"/api/v1/puzzles/{OWN_SET}/runs", json={}).status_code == 422
    assert client.post(f"/api/v1/puzzles/{OWN_SET}/runs", json={"colour": 1}).status_code == 422
    assert client.get("/api/v1/puzzles/none").status_code == 404
