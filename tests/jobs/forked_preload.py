"""Imported by the fork server alone, see forked.py: what a worker and a command would import for themselves."""

import importlib

from app.cli import MODULES as COMMANDS
from tests.jobs.forked import MODULES

for _name in (*(f"app.cli.{name}" for name in COMMANDS), *MODULES):
    importlib.import_module(_name)
