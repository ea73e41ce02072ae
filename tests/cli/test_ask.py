"""`explain`, `score` and `doctor` as people call them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli.common import layer_numbers, neuron_ref
from app.domain.neurons import NeuronRef
from app.store import explanations, jobs
from app.store.rows import JobState
from tests.jobs.world import World, model_answers, wait_for
from tests.scripted_server import ScriptedServer, down_endpoint, held

Make = Callable[..., World]
NEURON = "tiny-gpt2/1-mlp/3"


def made(world: World) -> list[explanations.ExplanationRow]:
    with world.store.session() as session:
        rows = explanations.of_neuron(session, NeuronRef("tiny-gpt2", "1-mlp", 3))
    return [row for row in rows if row.provenance.author == "cli"]


def test_explain_and_score_by_a_worker_of_its_own(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        done = here.run("explain", NEURON, "--method", "summary", "--score", "chat_json")
        assert done.returncode == 0, done.stderr
        [row] = made(here)
        assert f"{NEURON}: words about rain and stone bridges" in done.stdout
        correlation = next(line for line in done.stdout.splitlines() if "correlation" in line)
        assert "heldout-5+5" in correlation and "[" in correlation and "10 records" in correlation
        assert "chat_json by scripted / scripted-model" in correlation
        assert f"Explanation {row.id}: summary, positive, by scripted / scripted-model" in done.stdout
        again = here.run("score", str(row.id), "--simulator", "chat_json", "--protocol", "heldout-full")
        assert again.returncode == 0, again.stderr
        assert "heldout-full" in again.stdout and "heldout-5+5" not in again.stdout
    wait_for(lambda: not here.workers(), "the command's own worker to go", 10)


def test_beside_a_running_worker_it_only_asks(world: Make, collected: Path) -> None:
    here = world(data=collected)
    here.worker()
    [worker] = here.workers()
    done = here.run("explain", NEURON, "--method", "token_lookup", "--score", "token_lookup")
    assert done.returncode == 0, done.stderr
    assert [w.name for w in here.workers()] == [worker.name]
    with here.store.session() as session:
        [job] = [row for row in jobs.list_jobs(session) if row.kind == "explain"]
    assert job.worker == worker.name


def test_a_dry_run_shows_the_prompt_and_sends_nothing(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint(price_in=2.5, price_out=10.0)])
        done = here.run("explain", NEURON, "--method", "original", "--dry-run")
        assert done.returncode == 0, done.stderr
        assert server.calls == 0
    assert "--- system" in done.stdout and "--- user" in done.stdout
    assert "Nothing was sent" in done.stdout and "$0.0" in done.stdout and "tokens to scripted" in done.stdout
    assert "Scoring" not in done.stdout
    assert made(here) == []


def test_a_dry_run_says_what_scoring_takes(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint(price_in=2.5, price_out=10.0)])
        done = here.run("explain", NEURON, "--score", "chat_json", "--dry-run")
        with here.store.session() as session:
            known = explanations.of_neuron(session, NeuronRef("tiny-gpt2", "1-mlp", 3))[0]
        score = "score", str(known.id), "--dry-run"
        again = here.run(*score, "--simulator", "chat_json")
        free = here.run(*score, "--simulator", "local")
        assert server.calls == 0
    for seen in (done, again, free):
        assert seen.returncode == 0, seen.stderr
        assert seen.stdout.endswith("--- Nothing was sent.\n")
    for seen in (done, again):
        line = next(line for line in seen.stdout.splitlines() if line.startswith("--- Scoring"))
        assert (
            "chat_json on heldout-5+5" in line and " calls, about " in line and "tokens to scripted" in line
        )
        assert float(line.partition("$")[2].partition(" ")[0]) > 0
    assert "local asks no language model" in free.stdout
    assert made(here) == []


def test_a_failure_is_one_line_with_the_job_s_reason(world: Make, collected: Path) -> None:
    here = world(data=collected, endpoints=[down_endpoint(attempts=1)])
    here.worker()
    done = here.run("explain", NEURON)
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if line.startswith("neuronarium: ")]
    with here.store.session() as session:
        [job] = jobs.list_jobs(session, JobState.FAILED)
    assert job.reason in line and job.id in line and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["explain", "nobody/1-mlp/3"], "tiny-gpt2"),
        (["explain", "tiny-gpt2/9-mlp/3"], "1-mlp"),
        (["explain", NEURON, "--explainer", "gpt-9"], "down"),
        (["score", "999999"], "999999"),
    ],
)
def test_what_does_not_exist_says_what_does(
    world: Make, collected: Path, arguments: list[str], words: str
) -> None:
    done = world(data=collected, endpoints=[down_endpoint()]).run(*arguments)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("neuronarium: ") and words in line


def test_without_any_language_model_it_says_how_to_get_one(world: Make, collected: Path) -> None:
    done = world(data=collected).run("explain", NEURON)
    assert done.returncode == 1 and "neuronarium.toml" in done.stderr and "Traceback" not in done.stderr


def test_interrupted_it_lets_the_job_go_on(world: Make, collected: Path) -> None:
    import signal

    with ScriptedServer(lambda request: held(model_answers(request))) as server:
        here = world(data=collected, endpoints=[server.endpoint()])
        process = here.start("explain", NEURON)
        assert server.wait_for_calls(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 1
        assert "goes on in the background" in here.output(process)
        server.release()
        with here.store.session() as session:
            [job] = [row for row in jobs.list_jobs(session) if row.kind == "explain"]
        assert here.ended(job.id).state is JobState.DONE
    wait_for(lambda: not here.workers(), "the worker to end by itself", 30)
    assert len(made(here)) == 1


def test_doctor_finds_what_is_wrong_and_keeps_the_key_to_itself(world: Make, tmp_path: Path) -> None:
    with ScriptedServer() as server:
        well = world("well", endpoints=[server.endpoint(api_key_env="A_KEY")]).run(
            "doctor", A_KEY="s3cret-value"
        )
    assert well.returncode == 0, well.stdout
    assert "scripted answers" in well.stdout and "s3cret" not in well.stdout + well.stderr
    ill = world("ill", endpoints=[down_endpoint(), server.endpoint(api_key_env="NO_SUCH_KEY")]).run("doctor")
    assert ill.returncode == 1
    bad = [line for line in ill.stdout.splitlines() if line.startswith("BAD")]
    assert len(bad) == 2 and "does not answer" in bad[0] and "NO_SUCH_KEY" in bad[1]


def test_doctor_says_what_is_in_force_and_no_secret(world: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    secret = down_endpoint(base_url="http://me:s3cret@127.0.0.1:9/v1?key=s3cret", api_key_env="A_KEY")
    done = world(endpoints=[secret]).run(
        "doctor", "--data-dir", str(tmp_path / "file"), A_KEY="s3cret", NEURONARIUM_PASSWORD="s3cret",
        NEURONARIUM_DATABASE_URL="postgres://me:s3cret@127.0.0.1:9/name", NEURONARIUM_DEVICE="toaster",
    )  # fmt: skip
    assert done.returncode == 1 and "s3cret" not in done.stdout + done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert f"data_dir = {tmp_path / 'file'}" in lines
    assert "database_url = postgresql+psycopg://me:***@127.0.0.1:9/name" in lines
    assert "password = set" in lines and "port = 8000" in lines and "device = toaster" in lines
    assert "endpoints = down: m at http://127.0.0.1:9/v1, key in A_KEY: set" in lines
    bad = [line for line in lines if line.startswith("BAD")]
    assert any("“toaster” is no device" in line for line in bad)
    assert any("file is a file: name a folder" in line for line in bad)


def test_numbers_too_large_are_wrong_usage(world: Make) -> None:
    here = world()
    large = "9" * 20
    for wrong in (
        ["score", large], ["explain", f"a/b/{'9' * 5000}"], ["explain", NEURON, "--seed", large],
        ["collect", "--model", "m", "--corpus", "c", "--excerpts", large],
        ["collect", "--model", "m", "--corpus", "c", "--seed", large],
        ["collect", "--model", "m", "--corpus", "c", "--name", "…"],
    ):  # fmt: skip
        done = here.run(*wrong)
        assert done.returncode == 2 and "Traceback" not in done.stderr, wrong


def test_scoring_without_a_language_model_names_its_own_option(world: Make, collected: Path) -> None:
    done = world(data=collected).run("score", "1", "--simulator", "chat_json")
    assert done.returncode == 1 and "--endpoint demo" in done.stderr and "--explainer" not in done.stderr


def test_arguments_as_people_write_them() -> None:
    import typer

    assert layer_numbers("all") == () == layer_numbers("")
    assert layer_numbers("0,4, 8-11,9") == (0, 4, 8, 9, 10, 11)
    assert neuron_ref("/a/5-mlp/7/") == NeuronRef("a", "5-mlp", 7)
    for wrong in ("x", "1-", "-3", "3-1", "1,,2", ",", "0-9999999999", "9" * 5000):
        with pytest.raises(typer.BadParameter):
            layer_numbers(wrong)
    for wrong in ("a/b", "a/b/c", "a/b/1/2", "a/b/-1", "a/b/" + "9" * 5000):
        with pytest.raises(typer.BadParameter):
            neuron_ref(wrong)


def test_candidates_and_what_is_shown_can_be_chosen(world: Make, collected: Path) -> None:
    with ScriptedServer(model_answers) as server:
        here = world(data=collected, endpoints=[server.endpoint(price_in=2.5, price_out=10.0)])
        chosen = "--candidates", "3", "--shown-band", "random", "--shown-excerpts", "2", "--shown-tokens", "9"
        done = here.run("explain", NEURON, *chosen, "--score", "chat_json", "--dry-run")
        wrong = here.run("explain", NEURON, "--shown-band", "q1", "--polarity", "negative", "--dry-run")
        assert server.calls == 0
    assert done.returncode == 0, done.stderr
    assert "Explaining: 3 candidates of about" in done.stdout
    assert "Choosing by chat_json on dev records: 30 calls" in done.stdout
    assert "Excerpt 2:" in done.stdout and "Excerpt 3:" not in done.stdout.rpartition("--- user")[2]
    assert wrong.returncode == 1 and "choose top, random or mixed" in wrong.stderr
