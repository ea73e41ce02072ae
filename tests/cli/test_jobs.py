"""`jobs`, `cancel` and `retry`, and a model collected under a name of its own."""

import shutil
from collections.abc import Callable
from pathlib import Path

from app.domain.explanations import ExplainOptions, Method
from app.domain.neurons import NeuronRef, Polarity
from app.store import models
from app.store.rows import JobState
from tests.jobs.world import World

Make = Callable[..., World]
REF = NeuronRef("tiny-gpt2", "1-mlp", 3)


def test_a_job_can_be_listed_cancelled_and_begun_again(world: Make, collected: Path) -> None:
    here = world(data=collected)
    job = here.jobs.enqueue_explain(REF, ExplainOptions(Method.TOKEN_LOOKUP, Polarity.POSITIVE, ""), None)
    listed = here.run("jobs")
    assert listed.returncode == 0, listed.stderr
    first, second = listed.stdout.splitlines()
    assert first.startswith(job) and "queued" in first and f"Explain {REF}" in first
    assert second.startswith("collect-") and "done" in second and "400/400 excerpts" in second
    assert here.run("jobs", "--limit", "1").stdout.splitlines() == [first]

    cancelled = here.run("cancel", job)
    assert cancelled.returncode == 0 and here.job(job).state is JobState.CANCELLED
    again = here.run("cancel", job)
    assert again.returncode == 1 and f"Job {job} has ended already: cancelled." in again.stderr

    here.worker()
    retried = here.run("retry", job)
    assert retried.returncode == 0, retried.stderr
    assert f"{REF}: " in retried.stdout and "token_lookup" in retried.stdout
    newest = here.run("jobs", "--limit", "1").stdout
    assert "done" in newest and job not in newest


def test_what_cannot_be_cancelled_or_begun_again_is_one_line(world: Make, collected: Path) -> None:
    here = world(data=collected)
    for command in ("cancel", "retry"):
        done = here.run(command, "nonsense")
        assert done.returncode == 1 and done.stderr.splitlines() == ["neuronarium: There is no job nonsense."]
    job = here.run("jobs").stdout.split()[0]
    assert "This job is done" in here.run("retry", job).stderr


def test_other_weights_of_the_same_name_are_collected_under_another(
    world: Make, collected: Path, materials: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "tiny-gpt2"
    shutil.copytree(materials / "tiny-gpt2", other)
    here = world(data=collected)
    weights = other / "model.safetensors"
    values = weights.read_bytes()
    weights.write_bytes(values[:-1] + bytes([values[-1] ^ 1]))
    words = ["collect", "--model", str(other), "--corpus", str(materials / "corpus.jsonl")]
    refused = here.run(*words, "--excerpts", "400")
    assert refused.returncode == 1 and "--name" in refused.stderr
    here.worker()
    done = here.run(*words, "--excerpts", "400", "--name", "Tiny GPT2, tuned")
    assert done.returncode == 0, done.stderr
    assert "/m/tiny-gpt2-tuned" in done.stdout
    with here.store.session() as session:
        assert models.model(session, "tiny-gpt2-tuned").card.name == "Tiny GPT2, tuned"
        assert models.model(session, "tiny-gpt2").collection is not None
