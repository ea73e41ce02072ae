"""A web server on loopback that gives files below a folder, or misbehaves as it is told to."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Fault = Callable[
    [str, int], int
]  # (path, how often it was asked for, from 1) -> status; 0: never answer, 200: the file


class _Handler(BaseHTTPRequestHandler):
    def __init__(
        self, root: Path, fault: Fault, asked: "Counter[str]", released: threading.Event, *args: object
    ) -> None:
        self._root, self._fault, self._asked, self._released = root, fault, asked, released
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        self._asked[path] += 1
        status = self._fault(path, self._asked[path])
        if status == 0:
            self._released.wait(60)
            return
        file = self._root / path
        if status == 200 and not file.is_file():
            status = 404
        body = file.read_bytes() if status == 200 else b"<html>no</html>"
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        return


@contextmanager
def serving(root: Path, fault: Fault = lambda path, n: 200) -> Iterator[tuple[str, "Counter[str]"]]:
    """(address, how often each path was asked for)."""
    asked: Counter[str] = Counter()
    released = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, root, fault, asked, released))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        released.set()
        server.shutdown()
        server.server_close()
