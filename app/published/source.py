"""Where published files are read from: a folder, or an address that fsspec reads (http, https, az, s3, gs)."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from app.errors import BadInput, SourceError

PUBLISHED = "https://openaipublic.blob.core.windows.net/neuron-explainer"
TRIES = 4
FIRST_PAUSE_S = 0.5
AT_ONCE = 48  # files under way at once from an address
STALL_S = 30.0
_REFUSED = (401, 403)
# What reads an address of this kind, where fsspec has not all of it itself.
_DRIVERS = {
    "http": "aiohttp", "https": "aiohttp", "az": "adlfs", "abfs": "adlfs", "s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs",
}  # fmt: skip


class Read(NamedTuple):
    """What became of one file."""

    data: bytes | None = None
    problem: str = ""  # why it could not be read now; empty with no data: it is not there

    @property
    def missing(self) -> bool:
        return self.data is None and not self.problem


class Source(Protocol):
    """A place with published files."""

    @property
    def name(self) -> str:
        """Its address as people may see it."""

    def read(self, paths: Sequence[str]) -> list[Read]:
        """These files, by their paths below the source. SourceError where none can be had and trying again is no use."""

    def indices(self, folder: str, ending: str) -> list[int] | None:
        """The numbers N for which `folder/N.ending` is there; None where that cannot be told without trying."""


def open_source(address: str, stall_s: float = STALL_S) -> Source:
    """The source at an address. BadInput for a folder that is not there, or an address that nothing here can read."""
    if "://" not in address:
        folder = Path(address).expanduser()
        if not folder.is_dir():
            raise BadInput(
                f"there is no folder {folder}: name the folder, or the address, that the files are under"
            )
        return Folder(folder)
    return Address(address, stall_s)


class Folder:
    """Files on a disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def name(self) -> str:
        return str(self._root.resolve())

    def read(self, paths: Sequence[str]) -> list[Read]:
        return [self._read(path) for path in paths]

    def indices(self, folder: str, ending: str) -> list[int] | None:
        place = self._root / folder
        if not place.is_dir():
            return []
        stems = (
            file.name.removesuffix(f".{ending}") for file in place.iterdir() if file.suffix == f".{ending}"
        )
        # Written as people count: 007.json is not read as 7.json, which may be there too.
        return sorted(
            int(stem) for stem in stems if stem.isascii() and stem.isdigit() and str(int(stem)) == stem
        )

    def _read(self, path: str) -> Read:
        try:
            return Read((self._root / path).read_bytes())
        except FileNotFoundError:
            return Read()
        except OSError as error:
            return Read(problem=f"cannot be read: {error.strerror}")


class Address:
    """Files behind an address. Made anew in every process: connections cannot be shared."""

    def __init__(self, address: str, stall_s: float) -> None:
        parts = urlsplit(address)
        self._stall_s = stall_s
        self.name = (
            parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")
        )
        driver = _DRIVERS.get(parts.scheme)
        if driver is None:
            raise BadInput(
                f"nothing here reads {parts.scheme}:// addresses: name a folder, or an http, https, az, s3 or gs address"
            )
        try:
            import fsspec

            self._fs, root = fsspec.core.url_to_fs(address.rstrip("/"), **self._options(parts.scheme))
        except (ImportError, ValueError) as error:
            raise BadInput(f"reading {parts.scheme}:// needs {driver}: pip install {driver}") from error
        self._root = str(root).rstrip("/")

    def _options(self, scheme: str) -> dict[str, Any]:
        if scheme not in ("http", "https"):
            return {}
        import aiohttp

        stalls = aiohttp.ClientTimeout(
            total=4 * self._stall_s, sock_connect=self._stall_s, sock_read=self._stall_s
        )
        return {"client_kwargs": {"timeout": stalls}, "skip_instance_cache": True}

    def indices(self, folder: str, ending: str) -> list[int] | None:
        return None

    def read(self, paths: Sequence[str]) -> list[Read]:
        found: dict[str, Read] = {}
        left = list(paths)
        for attempt in range(TRIES):
            if attempt:
                time.sleep(FIRST_PAUSE_S * 2 ** (attempt - 1))
            answers = self._cat(left)
            found.update({path: self._judged(path, answer) for path, answer in answers.items()})
            left = [path for path in left if found[path].problem]
            if not left:
                break
        if left and len(left) == len(paths):
            raise SourceError(
                f"{self.name} cannot be read: {left[0]} {found[left[0]].problem}, {TRIES} times. What was read is kept: run "
                "the same command again when the source is well"
            )
        return [found[path] for path in paths]

    def _cat(self, paths: Sequence[str]) -> Mapping[str, object]:
        whole = [f"{self._root}/{path}" for path in paths]
        answers = self._fs.cat(whole, recursive=False, on_error="return", batch_size=AT_ONCE)
        if isinstance(
            answers, bytes
        ):  # fsspec gives the content itself for a single path of some file systems
            return {paths[0]: answers}
        return {path: answers.get(full, FileNotFoundError()) for path, full in zip(paths, whole, strict=True)}

    def _judged(self, path: str, answer: object) -> Read:
        if isinstance(answer, bytes):
            return Read(answer)
        if isinstance(answer, FileNotFoundError):
            return Read()
        status = getattr(answer, "status", None) or getattr(answer, "status_code", None)
        if status in _REFUSED or isinstance(answer, PermissionError):
            raise SourceError(
                f"{self.name} refuses to give {path}{f' (status {status})' if status else ''}: check the address and your rights"
            )
        if status:
            return Read(problem=f"was answered with status {status}")
        if isinstance(answer, (TimeoutError, asyncio.TimeoutError)):
            return Read(problem=f"did not come within {self._stall_s:g} seconds")
        if isinstance(answer, Exception):
            return Read(problem=f"did not come ({type(answer).__name__}: {str(answer)[:120]})")
        raise TypeError(f"fsspec gave {type(answer).__name__}")
