"""What one shard learnt, as a file that is there whole or not at all; shards merge in any order."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

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


def shard_path(folder: Path, shard: int) -> Path:
    """Where a shard's partial stands once it is whole."""
    return folder / f"shard-{shard:05d}.npz"


def write(path: Path, fingerprint: str, layers: dict[int, Any], *, first_wins: bool = False) -> None:
    """Write NamedTuples of arrays by layer: temporary file, fsync, rename, fsync of the folder.

    With `first_wins` a file that another process has put there meanwhile stays. Raises StoreError when the disk is
    full or cannot be written; nothing is left behind then.
    """
    arrays: dict[str, Any] = {"fingerprint": np.frombuffer(fingerprint.encode(), np.uint8)}
    for layer, part in layers.items():
        arrays.update({f"{layer}/{name}": array for name, array in part._asdict().items()})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, path.name)
        with temporary.open("wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        if first_wins:
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
        else:
            temporary.replace(path)
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full" if full else (error.strerror or str(error))
        raise StoreError(
            f"Cannot write to {path.parent}: {why}. Free some space and start the collection again; it goes on "
            "where it stopped."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what workers that were killed left behind of a file, or of all."""
    for stale in folder.glob(f".{name}.*.tmp"):
        stale.unlink(missing_ok=True)


@contextlib.contextmanager
def opened(path: Path, fingerprint: str) -> Iterator["PartialFile"]:
    """A file written by `write`. Raises Conflict when it is of another collection, StoreError when it is damaged."""
    with contextlib.ExitStack() as stack:
        try:
            arrays = stack.enter_context(np.load(path, allow_pickle=False))
            own = arrays["fingerprint"].tobytes().decode()
        except (OSError, BadZipFile, ValueError, KeyError) as error:
            raise StoreError(f"{path} is damaged; delete it and start the collection again.") from error
        if own != fingerprint:
            raise Conflict(
                f"{path.parent} holds parts of another collection (other model, excerpts, profile or seed); "
                "delete the folder or choose another."
            )
        yield PartialFile(path, arrays)


class PartialFile:
    """An open partial; arrays are read when asked for."""

    def __init__(self, path: Path, arrays: Any) -> None:
        self.path = path
        self._arrays = arrays

    def part(self, layer: int) -> LayerPart:
        return LayerPart(*self._read(layer, LayerPart._fields))

    def pilot(self, layer: int) -> LayerPilot:
        return LayerPilot(*self._read(layer, LayerPilot._fields))

    def _read(self, layer: int, names: tuple[str, ...]) -> list[Any]:
        try:
            return [self._arrays[f"{layer}/{name}"] for name in names]
        except (OSError, BadZipFile, ValueError, KeyError) as error:
            raise StoreError(f"{self.path} is damaged; delete it and start the collection again.") from error
