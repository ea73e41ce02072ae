"""What one shard learnt, as a file that is there whole or not at all; shards merge in any order.

The file is not forced to the disk: a process that is killed leaves it whole, and after a power cut its checksums tell
what is missing, and the shard is read again.
"""

import contextlib
import errno
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from app.domain.neurons import Float32, Float64, Int32, UInt8
from app.errors import Conflict, StoreError

Values = NDArray[np.float16] | Float32
Int64 = NDArray[np.int64]


class LayerPart(NamedTuple):
    """One layer of a shard. N neurons, T tokens; M records, S sampled tokens, P sampled excerpts (explain split)."""

    neurons: Int32  # [M]
    groups: UInt8  # [M] position in `selection.groups_of`
    keys: Int64  # [M] see `selection`
    values: Values  # [M, T]
    gates: UInt8  # [M, T/8] packed along tokens; [M, 0] when ungated
    sums: Float64  # [2, N] sum and sum of squares over all tokens that count
    extremes: Float32  # [4, N] maximum and minimum over the explain split, maximum and minimum over all
    bands: Int64  # [4, N] excerpts of the score split whose maximum lies in each band
    sample: Values  # [S, N]
    sample_gates: UInt8  # [S, N/8] packed along neurons; [S, 0] when ungated
    sample_ids: Int64  # [S] excerpt * T + token
    peaks: Float32  # [P, N] maximum of each sampled excerpt over the positions that count
    peak_ids: Int64  # [P] excerpt


class LayerPilot(NamedTuple):
    """One layer of the pilot, see `pilot.Pilot`."""

    outlier: NDArray[np.bool_]  # [N]
    edges: Float32  # [3, N]


PILOT = "pilot.safetensors"


def shard_path(folder: Path, shard: int) -> Path:
    """Where a shard's partial stands once it is whole."""
    return folder / f"shard-{shard:05d}.safetensors"


def write(path: Path, fingerprint: str, layers: dict[int, Any], *, first_wins: bool = False) -> None:
    """Write NamedTuples of arrays by layer: into a folder beside it, then rename.

    With `first_wins` a file that another process has put there meanwhile stays. Raises StoreError when the disk is
    full or cannot be written; nothing is left behind then.
    """
    arrays = {
        f"{layer}/{name}": np.ascontiguousarray(array)
        for layer, part in layers.items()
        for name, array in part._asdict().items()
    }
    checksums = {name: _checksum(array) for name, array in arrays.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, path.name)
        with tempfile.TemporaryDirectory(
            prefix=f".{path.name}.", suffix=".tmp", dir=path.parent, ignore_cleanup_errors=True
        ) as aside:
            whole = Path(aside) / path.name
            save_file(arrays, whole, {**checksums, "fingerprint": fingerprint})
            like = Path(aside) / "like"
            like.touch()
            shutil.copymode(like, whole)  # safetensors lets nobody but its owner read it
            if first_wins:
                with contextlib.suppress(FileExistsError):
                    os.link(whole, path)
            else:
                whole.replace(path)
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"Cannot write to {path.parent}: {_why(error)}. Free some space and start the collection again; it goes "
            "on where it stopped."
        ) from error


def _why(error: OSError | SafetensorError) -> str:
    """What the system says; safetensors has it in its text alone."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (found := re.search(r"os error (\d+)", str(error))):
        number = int(found[1])
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full"
    return os.strerror(number) if number else str(error)


def _checksum(array: NDArray[Any]) -> str:
    return f"{zlib.crc32(array.data):08x}"


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what workers that were killed left behind of a file, or of all."""
    for stale in folder.glob(f".{name}.*.tmp"):
        shutil.rmtree(stale, ignore_errors=True)


def check(path: Path, fingerprint: str) -> None:
    """Read all of a file. Raises as `opened`."""
    with opened(path, fingerprint) as file:
        file.check()


@contextlib.contextmanager
def opened(path: Path, fingerprint: str) -> Iterator["PartialFile"]:
    """A file written by `write`. Raises Conflict when it is of another collection, StoreError when it is damaged."""
    with contextlib.ExitStack() as stack:
        try:
            arrays = stack.enter_context(safe_open(path, "np"))
            checksums = arrays.metadata() or {}
            own = checksums.pop("fingerprint")
        except (OSError, SafetensorError, KeyError) as error:
            raise _damaged(path) from error
        if own != fingerprint:
            raise Conflict(
                f"{path.parent} holds parts of another collection (other model, excerpts, profile or seed); "
                "delete the folder or choose another."
            )
        yield PartialFile(path, arrays, checksums)


class PartialFile:
    """An open partial; arrays are read when asked for."""

    def __init__(self, path: Path, arrays: Any, checksums: dict[str, str]) -> None:
        self.path = path
        self._arrays, self._checksums = arrays, checksums

    def part(self, layer: int) -> LayerPart:
        return LayerPart(*self._read([f"{layer}/{name}" for name in LayerPart._fields]))

    def pilot(self, layer: int) -> LayerPilot:
        return LayerPilot(*self._read([f"{layer}/{name}" for name in LayerPilot._fields]))

    def check(self) -> None:
        """Raises StoreError when any of it is damaged."""
        for name in self._checksums:
            self._read([name])

    def _read(self, names: list[str]) -> list[Any]:
        try:
            found = [self._arrays.get_tensor(name) for name in names]
        except (OSError, SafetensorError) as error:
            raise _damaged(self.path) from error
        if any(_checksum(array) != self._checksums[name] for name, array in zip(names, found, strict=True)):
            raise _damaged(self.path)
        return found


def _damaged(path: Path) -> StoreError:
    return StoreError(f"{path} is damaged; delete it and start the collection again.")
