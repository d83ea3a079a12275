"""One file a model: a zip of plain arrays (NumPy's npz) and a JSON header. Nothing is unpickled.

The header says format, version, kind of model and its settings. A class is storable once it is
registered and can say what it consists of:

    @storable("rbm")
    class RBM:
        def to_storage(self) -> tuple[dict, dict[str, np.ndarray]]: ...
        @classmethod
        def from_storage(cls, config, arrays): ...
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dbnlib.checks import StorageError

FORMAT = "dbnlib"
VERSION = 1

#: kind → class, filled by `storable`
KINDS: dict[str, type] = {}


def storable(kind: str) -> Callable[[type], type]:
    """Class decorator: files of this kind hold this class."""

    def register(cls: type) -> type:
        KINDS[kind] = cls
        cls.storage_kind = kind
        return cls

    return register


def save(path: str | Path, model: Any) -> Path:
    """Write `model` to one file; an older file of that name is replaced in a single step.

    Returns the path. Raises TypeError for a thing that cannot be stored, StorageError for arrays
    of Python objects, OSError where the folder cannot be written.
    """
    kind = getattr(type(model), "storage_kind", None)
    if kind is None:
        known = ", ".join(sorted(cls.__name__ for cls in KINDS.values()))
        raise TypeError(f"cannot save a {type(model).__name__}; what can be saved: {known}")
    config, arrays = model.to_storage()
    return write(path, kind, config, arrays)


def load(path: str | Path) -> Any:
    """Read a model that `save` wrote; it computes the same bits as the one that was saved.

    Raises FileNotFoundError, or StorageError for a damaged, foreign or newer file.
    """
    return build(path, *read(path))


def build(path: str | Path, kind: str, config: dict, arrays: dict[str, np.ndarray]) -> Any:
    """Build the model; an unknown kind, or parts that do not fit together, are a StorageError."""
    if kind not in KINDS:
        raise StorageError(
            f"{path} holds a {kind!r}, which is not one of the models known here: "
            f"{', '.join(sorted(KINDS))}"
        )
    try:
        return KINDS[kind].from_storage(config, arrays)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise StorageError(
            f"{path} says it holds a {kind!r}, but its parts do not fit together: {error}"
        ) from error


def pack(value: Any, arrays: dict[str, np.ndarray], key: str = "") -> Any:
    """`value` as JSON can hold it; its arrays go to `arrays`, under names that start with `key`.

    Takes storable models, arrays, lists, dicts with string keys, and plain JSON values.
    """
    kind = getattr(type(value), "storage_kind", None)
    if kind is not None:
        config, own = value.to_storage()
        arrays.update({f"{key}.{name}": array for name, array in own.items()})
        return {"model": kind, "key": key, "config": config, "arrays": list(own)}
    if isinstance(value, np.ndarray):
        arrays[key] = value
        return {"array": key}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [pack(item, arrays, f"{key}.{i}") for i, item in enumerate(value)]}
    if isinstance(value, dict):
        return {"dict": {name: pack(v, arrays, f"{key}.{name}") for name, v in value.items()}}
    if isinstance(value, np.generic):
        value = value.item()
    return {"value": value}


def unpack(packed: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The value that `pack` packed."""
    if "model" in packed:
        own = {name: arrays[f"{packed['key']}.{name}"] for name in packed["arrays"]}
        return KINDS[packed["model"]].from_storage(packed["config"], own)
    if "array" in packed:
        return arrays[packed["array"]]
    if "list" in packed:
        return [unpack(item, arrays) for item in packed["list"]]
    if "tuple" in packed:
        return tuple(unpack(item, arrays) for item in packed["tuple"])
    if "dict" in packed:
        return {name: unpack(value, arrays) for name, value in packed["dict"].items()}
    return packed["value"]


def check_place(path: str | Path) -> Path:
    """Return `path` if a file can be written there; OSError that says what is wrong otherwise."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} to")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"the folder {path.parent} is not yours to write {path.name} to")
    return path


def write(path: str | Path, kind: str, config: dict, arrays: dict[str, np.ndarray]) -> Path:
    """Write header and arrays beside `path`, then rename: a crash leaves the old file whole."""
    path = check_place(path)
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise StorageError(
                f"the array {name!r} holds Python objects, which only pickle could store; "
                "convert it to numbers or strings (for labels: y.astype(str)) first"
            )
    header = {"format": FORMAT, "version": VERSION, "kind": kind, "config": config}
    try:
        contents = {"header": np.array(json.dumps(header)), **arrays}
    except TypeError as error:
        raise StorageError(
            f"a setting of the {kind} cannot be stored ({error}); numbers, words and lists can"
        ) from None
    descriptor, beside = tempfile.mkstemp(prefix=path.name + ".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez(file, allow_pickle=False, **contents)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp's file is its owner's alone; a model is as open as any file made here
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(beside, 0o666 & ~mask)
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return path


def read(path: str | Path) -> tuple[str, dict, dict[str, np.ndarray]]:
    """Kind, settings and arrays of a file; raises as `load` does. Every checksum is compared."""
    path = Path(path)
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                # `read` compares the member's CRC-32 with what the archive says
                stream = io.BytesIO(archive.read(member))
                arrays[member.removesuffix(".npy")] = np.load(stream, allow_pickle=False)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise StorageError(f"{path} is a folder, not a model file") from None
    except zipfile.BadZipFile as error:
        raise StorageError(
            f"{path} is no dbnlib file, or it is damaged ({error}); "
            "take it from where it was saved once more"
        ) from None
    except Exception as error:
        raise StorageError(f"{path} is damaged or foreign and cannot be read ({error})") from error
    try:
        header = json.loads(str(arrays.pop("header")))
        form, version, kind, config = (header[k] for k in ("format", "version", "kind", "config"))
    except (KeyError, TypeError, ValueError):
        raise StorageError(f"{path} is an archive of arrays, but not one of dbnlib's") from None
    if form != FORMAT:
        raise StorageError(f"{path} is a {form!r} file, not one of dbnlib's")
    if not isinstance(kind, str):
        raise StorageError(f"{path} does not say what kind of model it holds")
    if not isinstance(version, int) or version > VERSION:
        raise StorageError(
            f"{path} has version {version} of the file format, and this dbnlib reads up to "
            f"{VERSION}; install a newer dbnlib"
        )
    return kind, config, arrays
