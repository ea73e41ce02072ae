"""The command line. Commands are in modules beside this one; each loads what it needs when it is called."""

import importlib
import sys

import typer

from app.errors import AppError

app = typer.Typer(
    name="neuronarium",
    help="See what makes a language model's neurons fire, have it explained, and measure the explanation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


# Modules that add their commands to `app`, in the order in which `--help` lists them.
MODULES = (
    "serve", "collect", "ask", "judge", "similarity", "live", "revising", "embed", "jobs", "costs", "lists", "store", "imports", "puzzles", "exports", "import_openai", "export_openai",
    "report", "experiment", "study", "study_results",
)  # fmt: skip
LONG_RUNNING = (
    "serve",
    "worker",
)  # both in one module, and waited for: the others' take most of half a second


def main() -> None:
    """Run a command. An expected error is one line on standard error and exit status 1; wrong usage is status 2."""
    for name in MODULES[:1] if sys.argv[1:2] and sys.argv[1] in LONG_RUNNING else MODULES:
        importlib.import_module(f"app.cli.{name}")
    try:
        app()
    except AppError as error:
        sys.stderr.write(f"neuronarium: {error.sentence}\n")
        sys.exit(1)
