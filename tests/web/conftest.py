"""The web on a small computed store, without a server or a worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Endpoint, Settings
from app.store import Store

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def web_settings(tmp_path: Path) -> Settings:
    """Two language models that nobody ever asks here, one of them at a price."""
    paid = Endpoint(name="paid", base_url="http://127.0.0.1:9/v1", model="big", price_in=2.5, price_out=10)
    return Settings(
        data_dir=tmp_path,
        endpoints=[Endpoint(name="local", base_url="http://127.0.0.1:9/v1", model="small"), paid],
    )


@pytest.fixture
def web_app(tiny_store: Store, web_settings: Settings) -> FastAPI:
    return create_app(web_settings, store=tiny_store)


@pytest.fixture
def client(web_app: FastAPI) -> Iterator[TestClient]:
    with TestClient(web_app, base_url=BASE, follow_redirects=False) as opened:
        yield opened
