"""What handlers ask for by type: settings, the store, jobs.

Async on purpose: FastAPI sends a plain `def` dependency through the thread pool, which costs more than it does.
A handler opens its own session (`with store.session() as session`), so that it is one thread's from end to end.
"""

from typing import Annotated, cast

from fastapi import Depends, Request
from starlette.convertors import IntegerConvertor, register_url_convertor

from app.jobs.service import Jobs
from app.settings import Settings
from app.store import Store
from app.web.model_cache import ModelCache
from app.web.report_shelf import Shelf


async def get_settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


async def get_store(request: Request) -> Store:
    return cast(Store, request.app.state.store)


async def get_jobs(request: Request) -> Jobs:
    return cast(Jobs, request.app.state.jobs)


async def get_facts(request: Request) -> ModelCache:
    return cast(ModelCache, request.app.state.facts)


async def get_reports(request: Request) -> Shelf:
    return cast(Shelf, request.app.state.reports)


SettingsDep = Annotated[Settings, Depends(get_settings)]
StoreDep = Annotated[Store, Depends(get_store)]
JobsDep = Annotated[Jobs, Depends(get_jobs)]
FactsDep = Annotated[ModelCache, Depends(get_facts)]
ReportsDep = Annotated[Shelf, Depends(get_reports)]


class _Index(IntegerConvertor):
    """`{index:index}` in a path: a neuron's place in its layer. Python refuses to read numbers of thousands of digits."""

    regex = "[0-9]{1,999}"


register_url_convertor("index", _Index())
