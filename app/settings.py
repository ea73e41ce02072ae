"""All settings, read from the environment (prefix `NEURONARIUM_`) and from `neuronarium.toml`."""

import os
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

Spared = Literal["temperature", "seed", "stop"]  # fields of a request that an endpoint can be asked without
OUR_FIELDS = frozenset(
    [
        "model",
        "input",
        "messages",
        "prompt",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "seed",
        "stop",
        "response_format",
        "logprobs",
        "top_logprobs",
        "echo",
        "n",
        "stream",
    ]
)


STORE_FILE = "neuronarium.sqlite"
_POSTGRES = ("postgres", "postgresql", "postgresql+psycopg")


def with_driver(url: str) -> str:
    """A PostgreSQL address with the driver that is installed with us, whichever of its usual schemes it came with."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme.lower() in _POSTGRES else url


def sqlite_url(file: Path) -> str:
    """The address of a SQLite file, whatever characters its path has."""
    return f"sqlite:///{quote(str(file))}"


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite address; None for any other, and for one in memory."""
    scheme, _, rest = url.partition(":///")
    name = unquote(rest.partition("?")[0])
    return Path(name) if scheme in ("sqlite", "sqlite+pysqlite") and name not in ("", ":memory:") else None


class Endpoint(BaseModel):
    """One OpenAI-compatible server and the model to ask there."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, description="How pages, jobs and the command line call this endpoint.")
    base_url: str = Field(description="Base address including the version, such as http://127.0.0.1:8080/v1.")
    model: str = Field(description="The model's name as that server knows it.")
    api_key_env: str | None = Field(
        default=None,
        description="Name of the environment variable that holds the key; none for a local server.",
    )
    price_in: float = Field(default=0.0, ge=0, description="US dollars per million prompt tokens.")
    price_out: float = Field(default=0.0, ge=0, description="US dollars per million completion tokens.")
    price_cached: float | None = Field(
        default=None,
        ge=0,
        description="US dollars per million prompt tokens that the provider had in its cache; price_in when empty.",
    )
    concurrency: int = Field(default=4, ge=1, le=256, description="Requests under way at once.")
    requests_per_minute: int | None = Field(
        default=None, ge=1, description="Upper bound on requests a minute."
    )
    timeout_s: float = Field(default=120.0, gt=0, description="Seconds one request may take.")
    attempts: int = Field(default=5, ge=1, le=20, description="Tries of one request, the first included.")
    chat: bool = Field(default=True, description="Serves /chat/completions.")
    completions: bool = Field(default=False, description="Serves /completions with echo and logprobs.")
    omit: list[Spared] = Field(
        default=[], description="Fields that are never sent, for a model that refuses them."
    )
    extra: dict[str, JsonValue] = Field(
        default={}, description="Fields sent with every request as they are, such as reasoning_effort."
    )
    thinking_tokens: int = Field(
        default=0,
        ge=0,
        description="Allowed on top of a chat answer's own bound, for a model that thinks before it answers.",
    )

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, extra: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if ours := sorted(OUR_FIELDS & extra.keys()):
            raise ValueError(f"{', '.join(ours)}: set by Neuronarium itself, so not to be given in extra")
        return extra

    @property
    def title(self) -> str:
        """As explanations and simulations name it, for ever."""
        return f"{self.name} / {self.model}"

    def api_key(self) -> str:
        """The key from the environment, or a placeholder that local servers ignore."""
        return os.environ.get(self.api_key_env, "") if self.api_key_env else "none"


class Settings(BaseSettings):
    """Everything that can be configured. Environment wins over the file."""

    model_config = SettingsConfigDict(
        env_prefix="NEURONARIUM_", env_nested_delimiter="__", toml_file="neuronarium.toml", extra="forbid"
    )

    data_dir: Path = Field(
        default=Path("data"), description="Folder for the store, jobs, models and corpora."
    )
    npm_dir: Path = Field(
        default=Path(__file__).parents[1] / "data" / "npm" / "node_modules",
        description="Folder with the front-end files and the demo corpus that the set-up fetches.",
    )
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy address of the store, such as postgresql+psycopg://user@host/db; "
        "a SQLite file in data_dir when empty.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    allowed_hosts: list[str] = Field(
        default=[],
        description="Extra Host header values to answer, besides localhost and the address listened on.",
    )
    username: str = Field(
        default="neuronarium", description="Name for the login that a non-loopback address needs."
    )
    password: SecretStr | None = Field(
        default=None, description="Password for that login; without it only loopback is served."
    )
    endpoints: list[Endpoint] = Field(
        default=[], description="OpenAI-compatible servers for explaining and simulating."
    )
    demo: bool = Field(
        default=False,
        description="Prepare the demo model and corpus, and serve the demo explainer when no endpoint is configured.",
    )
    spending_cap_usd: float | None = Field(
        default=None,
        ge=0,
        description="No request is sent once the recorded cost of all calls would pass this.",
    )
    daily_cap_usd: float | None = Field(
        default=None, ge=0, description="The same for the calls of one day (UTC)."
    )
    job_cap_usd: float | None = Field(
        default=None,
        ge=0,
        description="The same for the calls of one job; an experiment has its own budget instead.",
    )
    device: str = Field(
        default="auto", description="Where the subject model runs: auto, cpu, cuda, cuda:1, mps."
    )
    threads: int | None = Field(
        default=None, ge=1, description="CPU threads for the subject model; all when empty."
    )
    simulator_model: str | None = Field(
        default=None,
        description="Model folder or name for the local simulator; the subject model itself when empty.",
    )

    embedding_endpoint: str | None = Field(
        default=None,
        description="Name of the endpoint whose model embeds explanations for search by meaning; the local "
        "all-MiniLM-L6-v2 when empty.",
    )
    embedding_batch: int = Field(
        default=32, ge=1, le=2048, description="Texts sent to that endpoint in one request."
    )

    @field_validator("endpoints")
    @classmethod
    def _own_names(cls, endpoints: list[Endpoint]) -> list[Endpoint]:
        names = [endpoint.name for endpoint in endpoints]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two endpoints are called {', '.join(twice)}; give each a name of its own")
        return endpoints

    @field_validator("embedding_endpoint")
    @classmethod
    def _known_embedder(cls, name: str | None, info: ValidationInfo) -> str | None:
        names = [endpoint.name for endpoint in info.data.get("endpoints", [])]
        if name and name not in names:
            there = f"there is {', '.join(names)}" if names else "none is configured"
            raise ValueError(f"no endpoint is called “{name}”; {there}")
        return name or None

    @field_validator("database_url")
    @classmethod
    def _our_driver(cls, url: str | None) -> str | None:
        return with_driver(url) if url else None

    @property
    def store_url(self) -> str:
        """The address of the store in force."""
        return self.database_url or sqlite_url(self.data_dir.resolve() / STORE_FILE)

    @property
    def jobs_url(self) -> str:
        """The address of the job engine's own database: the store's PostgreSQL, or a file beside the store's.

        All workers of one store must share it, wherever each keeps its data, and those of two stores must not.
        """
        store = sqlite_file(self.store_url)
        if store is None:
            return self.store_url
        name = "jobs.sqlite" if store.name == STORE_FILE else f"{store.stem}.jobs.sqlite"
        return sqlite_url(store.resolve().with_name(name))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of precedence: arguments, environment, file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
