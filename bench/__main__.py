"""`python -m bench [NAME] [--quick] [--store AT] [--json FILE]`: run one bench or all, print one table, write the figures.

With `--store`, those that read a store run on that one: an address, or a folder that `python -m bench.scale` made.
"""

import argparse
import importlib
import json
import sys
from contextlib import nullcontext
from pathlib import Path

from app.errors import AppError
from bench.report import Figure, show
from bench.scale_place import address

NAMES = (
    "store",
    "page",
    "collect",
    "simulate",
    "search",
    "semantic",
    "imports",
    "prompts",
    "experiment",
    "start",
    "study",
)
ON_A_STORE = ("store", "page", "search", "start", "browse", "prompts")


def main(arguments: list[str] | None = None) -> int:
    """0 when everything that was asked for ran and every figure holds, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "name", nargs="?", choices=sorted({*NAMES, *ON_A_STORE}), help="one bench; all of them when left out"
    )
    parser.add_argument("--quick", action="store_true", help="less data and fewer rounds")
    parser.add_argument(
        "--store", metavar="AT", help="run on this store: its address, or a folder of bench.scale"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    asked = parser.parse_args(arguments)
    figures: list[Figure] = []
    failed: list[str] = []
    try:
        with address(asked.store) if asked.store else nullcontext() as store:
            for name in [asked.name] if asked.name else ON_A_STORE if store else NAMES:
                print(f"bench {name} …", file=sys.stderr, flush=True)
                try:
                    figures += _run(name, asked.quick, store)
                except (AppError, SystemExit) as error:
                    failed.append(f"{name}: {error}")
    except SystemExit as error:  # the store that was named
        failed.append(str(error))
    show(figures)
    for reason in failed:
        print(f"not measured: {reason}", file=sys.stderr)
    if asked.json is not None:
        asked.json.write_text(json.dumps([figure._asdict() for figure in figures], indent=2) + "\n")
    return 0 if not failed and all(figure.holds for figure in figures) else 1


def _run(name: str, quick: bool, store: str | None) -> list[Figure]:
    bench = importlib.import_module(f"bench.{name}")
    found: list[Figure]
    if store is None:
        found = bench.run(quick)
    elif name in ON_A_STORE:
        found = bench.run(quick, store)
    else:
        raise SystemExit(
            f"it makes what it measures, and takes no --store; these do: {', '.join(ON_A_STORE)}"
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
