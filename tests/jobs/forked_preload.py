"""Imported by the fork server alone, see forked.py: what a worker would import for itself."""

import importlib

from tests.jobs.forked import MODULES

for _name in MODULES:
    importlib.import_module(_name)
