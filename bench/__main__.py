"""`python -m bench [NAME] [--quick] [--json FILE]`: run one bench or all, print one table, write the figures."""

import argparse
import importlib
import json
import sys
from pathlib import Path

from app.errors import AppError
from bench.report import Figure, show

NAMES = ("store", "page", "collect", "simulate", "search", "semantic", "start")


def main(arguments: list[str] | None = None) -> int:
    """0 when everything that was asked for ran and every figure holds, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=NAMES, help="one bench; all of them when left out")
    parser.add_argument("--quick", action="store_true", help="less data and fewer rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    asked = parser.parse_args(arguments)
    figures: list[Figure] = []
    failed: list[str] = []
    for name in [asked.name] if asked.name else NAMES:
        print(f"bench {name} …", file=sys.stderr, flush=True)
        try:
            figures += importlib.import_module(f"bench.{name}").run(asked.quick)
        except (AppError, SystemExit) as error:
            failed.append(f"{name}: {error}")
    show(figures)
    for reason in failed:
        print(f"not measured: {reason}", file=sys.stderr)
    if asked.json is not None:
        asked.json.write_text(json.dumps([figure._asdict() for figure in figures], indent=2) + "\n")
    return 0 if not failed and all(figure.holds for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
