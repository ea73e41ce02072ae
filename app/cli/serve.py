"""`serve` and `worker`."""

import asyncio
import contextlib
import errno
import gc
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import logs
from app.cli import app
from app.cli.common import settings
from app.errors import AppError, Conflict, Refused
from app.settings import Settings

if TYPE_CHECKING:
    from app.store import Store

log = logging.getLogger(__name__)
STARTED = time.perf_counter()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder for the store, models and corpora.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Prepare the demo model and corpus.")] = False,
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Run a worker beside it.")] = True,
) -> None:
    """Serve the viewer, with one worker beside it."""
    logs.configure()
    config = settings(host=host, port=port, data_dir=data_dir, demo=demo or None)
    listening = listen(config)
    try:
        _serve(config, listening, worker)
    finally:
        listening.close()


def listen(config: Settings) -> socket.socket:
    """The socket to serve on. Raises Refused without a password for others, Conflict when the port is taken."""
    if config.password is None and not _loopback(config.host):
        raise Refused(
            f"{config.host} can be reached by others: set NEURONARIUM_PASSWORD to a password, or listen on 127.0.0.1."
        )
    try:
        family, _, _, _, address = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0]
        # Named as TCP, for asyncio looks at that before it turns Nagle's algorithm off: else most answers wait 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise AppError(f"Cannot listen on {config.host}: {error.strerror}. Choose another --host.") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(256)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"Port {config.port} is in use: stop what listens there, or choose another with --port."
            ) from error
        raise AppError(f"Cannot listen on {config.host}:{config.port}: {error.strerror}.") from error
    return listening


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _serve(config: Settings, listening: socket.socket, worker: bool) -> None:
    gc.disable()  # all that is imported stays: to look through it for garbage takes a tenth of the start
    import uvicorn

    from app.jobs.child import Supervisor
    from app.jobs.service import Jobs
    from app.main import create_app
    from app.store import Store
    from app.web.rendering import check_files

    check_files()
    store = Store.open(config.store_url)
    jobs = Jobs(config, store)
    if config.demo:
        from app.jobs import prepare_demo

        prepare_demo.ensure(jobs)
        add_puzzles(store)
    supervisor = Supervisor(config) if worker else None
    ready = _ready_line(config.host, listening.getsockname()[1])

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            sys.stdout.write(f"{ready} ({time.perf_counter() - STARTED:.1f} s). Press Ctrl-C to stop.\n")
            sys.stdout.flush()
            if supervisor is not None:
                supervisor.start()  # after the first page can be answered: it takes a core for a moment

    server = Server(
        uvicorn.Config(
            create_app(config, store, jobs),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
            server_header=False,
        )
    )
    gc.freeze()
    gc.enable()
    # uvicorn raises the signal that ended it once more when it is done; what we still have to do comes after that.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run([listening])
    finally:
        if supervisor is not None:
            supervisor.stop()
        store.close()


def add_puzzles(store: "Store") -> None:
    """The built-in puzzles are part of the demo: so are those that a newer version brings."""
    from app.exchange.puzzles import add_built_in

    try:
        add_built_in(store)
    except Conflict as error:  # a puzzle was reworded since, and answers to the old one are there
        log.warning("the store keeps its own puzzles: %s", error)


def _ready_line(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"Neuronarium is ready on http://{shown}:{port}"


@app.command()
def worker(
    data_dir: Annotated[Path | None, typer.Option(help="Folder for the store, models and corpora.")] = None,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Stop when nothing is left to do.")
    ] = False,
    leash: Annotated[bool, typer.Option("--leash", hidden=True)] = False,
) -> None:
    """Work on queued jobs. Several may run, on several machines too if the store is PostgreSQL."""
    logs.configure()
    config = settings(data_dir=data_dir)
    os.environ.setdefault("TQDM_DISABLE", "1")  # libraries' own progress bars; a job's progress is in its row
    asyncio.run(_work(config, until_idle, leash))


async def _work(config: Settings, until_idle: bool, leash: bool) -> None:
    from app.jobs.worker import Worker
    from app.store import Store

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if leash:
        threading.Thread(target=_mind_leash, args=(loop, stop), daemon=True).start()
    store = await asyncio.to_thread(Store.open, config.store_url)
    status = 0
    try:
        await Worker(config, store).run(stop, until_idle=until_idle)
    except AppError as error:
        sys.stderr.write(f"neuronarium: {error.sentence}\n")
        status = 1
    except Exception:
        log.exception("the worker failed")
        status = 1
    # Not returned from: the loop would wait for threads in the middle of a collection. What still runs is left as a
    # kill would leave it: made to be taken up again.
    sys.stderr.flush()
    os._exit(status)


def _mind_leash(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop when the parent is gone, which closes our standard input; not when it let us loose first."""
    if not os.read(0, 1):
        loop.call_soon_threadsafe(stop.set)
