"""What people read who got a setting wrong."""

from pathlib import Path

import pytest

from app.cli.common import settings
from app.errors import BadInput
from app.settings import sqlite_file

ENDPOINT = """
[[endpoints]]
name = "mini"
base_url = "https://api.example.org/v1"
model = "some-chat-model"
"""


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "neuronarium.toml"


def test_the_file_and_the_environment_are_read_and_the_environment_wins(toml, monkeypatch):
    toml.write_text(
        "port = 8100\nthreads = 1\n"
        + ENDPOINT
        + 'omit = ["stop"]\nextra = { reasoning_effort = "low" }\nthinking_tokens = 2000\n'
    )
    monkeypatch.setenv("NEURONARIUM_PORT", "8200")
    here = settings()
    assert (here.port, here.threads) == (8200, 1)
    [endpoint] = here.endpoints
    assert (endpoint.omit, endpoint.extra) == (["stop"], {"reasoning_effort": "low"})
    assert endpoint.thinking_tokens == 2000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("spending_cap = 5", "There is no setting “spending_cap”: see docs/configuration.md"),
        (ENDPOINT + 'api_key = "sk-secret"', "There is no setting “endpoints.0.api_key”"),
        (
            ENDPOINT + "extra = { temperature = 1 }",
            "“endpoints.0.extra” is wrong: temperature: set by Neuronarium",
        ),
        (ENDPOINT + 'omit = ["messages"]', "“endpoints.0.omit.0” is wrong: Input should be 'temperature'"),
        (ENDPOINT + ENDPOINT, "The setting “endpoints” is wrong: two endpoints are called mini"),
        (
            'embedding_endpoint = "other"\n' + ENDPOINT,
            "“embedding_endpoint” is wrong: no endpoint is called “other”; there is mini",
        ),
        ("port = 70000", "The setting “port” is wrong: Input should be less than or equal to 65535"),
        ("port = [", "neuronarium.toml cannot be read: Invalid value"),
    ],
)
def test_a_wrong_file_is_one_line_that_says_what(toml, text, words):
    toml.write_text(text)
    with pytest.raises(BadInput) as caught:
        settings()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "sk-secret" not in str(caught.value)


def test_a_file_in_another_encoding_is_one_line(toml):
    toml.write_bytes('host = "caf\xe9"'.encode("latin-1"))
    with pytest.raises(BadInput, match=r"neuronarium\.toml cannot be read"):
        settings()


def test_an_environment_variable_that_is_no_json_is_one_line(toml, monkeypatch):
    monkeypatch.setenv("NEURONARIUM_ENDPOINTS", "[{")
    with pytest.raises(BadInput, match=r"environment cannot be read as JSON: .*endpoints"):
        settings()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "Postgres"])
def test_workers_of_one_postgresql_share_the_job_engine_s_database(toml, scheme):
    here = settings(database_url=f"{scheme}://me@host/name")
    assert here.store_url == here.jobs_url == "postgresql+psycopg://me@host/name"


def test_workers_of_one_sqlite_file_share_the_job_engine_s_database(toml, tmp_path):
    usual = settings(data_dir=tmp_path / "a")
    assert usual.jobs_url == f"sqlite:///{tmp_path}/a/jobs.sqlite"
    for named in (usual.store_url, "sqlite:///a/neuronarium.sqlite", f"{usual.store_url}?timeout=9"):
        assert settings(data_dir=tmp_path / "b", database_url=named).jobs_url == usual.jobs_url
    others = [settings(database_url=f"sqlite:///a/{name}.sqlite").jobs_url for name in ("x", "y")]
    assert len({*others, usual.jobs_url}) == 3


def test_a_data_folder_of_any_name(toml, tmp_path):
    here = settings(data_dir=tmp_path / "we?ird #1 100%25")
    assert sqlite_file(here.store_url) == tmp_path / "we?ird #1 100%25" / "neuronarium.sqlite"
    assert sqlite_file(here.jobs_url) == tmp_path / "we?ird #1 100%25" / "jobs.sqlite"
