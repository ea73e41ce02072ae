"""The same worlds as the jobs' tests."""

from tests.jobs.conftest import collected, materials, world

__all__ = ["collected", "materials", "world"]
