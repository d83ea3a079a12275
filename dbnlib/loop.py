"""The one epoch loop that all training shares, whatever is trained.

It walks through the rows in minibatches, shows progress, records the monitors, writes and resumes
checkpoints, takes back an interrupted epoch, and stops on divergence. What is trained is a `Job`:
an object that knows its arrays and how to make one step.
"""

from __future__ import annotations

import json
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dbnlib import storage
from dbnlib.checks import DivergenceError, StorageError, check_count, check_generator
from dbnlib.inplace import on_one_thread
from dbnlib.progress import bar


class InterruptedTrainingWarning(UserWarning):
    """Ctrl-C ended a fit; the model holds the last finished epoch."""


class Job:
    """What the loop trains. Subclasses fill in the methods."""

    #: names the job in messages and bars, such as 'layer 2'
    name = "training"
    #: number of training rows
    n_rows: int
    #: checksum of the parameters with which a run with a checkpoint started; `run_epochs` notes it
    start: int

    def parameters(self) -> dict[str, np.ndarray]:
        """The model's own arrays, live. They are taken back when an epoch is cut short."""
        raise NotImplementedError

    def memory(self) -> dict[str, np.ndarray]:
        """All else that the next epoch depends on, live: velocities, chains, best weights."""
        return {}

    def step(self, rows: np.ndarray, epoch: int) -> None:
        """Change the parameters by one minibatch: row numbers, and the epoch from 0."""
        raise NotImplementedError

    def monitor(self, epoch: int) -> dict[str, float]:
        """What to record at the end of an epoch."""
        return {}

    def finished(self, history: History) -> bool:
        """Whether to stop early, asked after each epoch."""
        return False

    def likely_cause(self) -> str:
        """A sentence for the message when the parameters are no longer finite."""
        return "The learning rate is probably too high: try a tenth of it."

    def settings(self) -> dict[str, Any]:
        """Plain data that two runs must share for one to go on from the other's checkpoint."""
        return {}


@storage.storable("history")
class History:
    """What was recorded: one list a monitor, one entry an epoch.

    Attributes
    ----------
    records : list of dict
        one dict of monitors an epoch
    interrupted, stopped_early : bool
        how the training ended, if not by its number of epochs

    Examples
    --------
    >>> history = History([{"error": 0.5}, {"error": 0.25}])
    >>> history["error"]
    array([0.5 , 0.25])
    """

    def __init__(self, records: list[dict[str, float]] | None = None):
        self.records = list(records or [])
        self.interrupted = False
        self.stopped_early = False

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, name: str) -> np.ndarray:
        """The monitor `name` over the epochs, shape (n_epochs,); NaN where it was not recorded."""
        if self.records and not any(name in record for record in self.records):
            raise KeyError(f"{name!r} was not recorded; there are {', '.join(self.names)}")
        return np.array([record.get(name, np.nan) for record in self.records])

    @property
    def names(self) -> list[str]:
        """The monitors, in the order in which they came."""
        return list(dict.fromkeys(name for record in self.records for name in record))

    def to_storage(self) -> tuple[dict, dict[str, np.ndarray]]:
        """Records and how the training ended, for `dbnlib.storage`."""
        return dict(vars(self)), {}

    @classmethod
    def from_storage(cls, config: dict, arrays: dict[str, np.ndarray]) -> History:
        """The history that `to_storage` took apart."""
        history = cls(config["records"])
        history.interrupted = config["interrupted"]
        history.stopped_early = config["stopped_early"]
        return history

    def __repr__(self) -> str:
        return f"History({len(self)} epochs: {', '.join(self.names)})"


def minibatches(n_rows: int, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers in a new random order, `batch_size` at a time; the last batch may be shorter."""
    order = rng.permutation(n_rows)
    for start in range(0, n_rows, batch_size):
        yield order[start : start + batch_size]


def checksum(*arrays: np.ndarray | None) -> int:
    """One number for the contents of arrays, by which a checkpoint knows its data."""
    value = 0
    for array in arrays:
        if array is not None:
            value = zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data, value)
    return value


def run_epochs(
    job: Job,
    *,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> History:
    """Train `job` for `epochs` epochs and return the history.

    Parameters
    ----------
    checkpoint : path, optional
        written after each epoch. If it exists, training goes on behind its last epoch, and ends
        in the same bits as a run that was never stopped. It must be of a run that started from the
        same parameters. If it has as many epochs as are asked for, or more, its model is given as
        it is.
    progress : bool, optional
        True shows a bar, False none, None (default) only where someone is watching

    Raises
    ------
    DivergenceError
        when a parameter is NaN or infinite; the parameters are those of the last finished epoch
    StorageError
        when the checkpoint belongs to another run

    Warns
    -----
    InterruptedTrainingWarning
        on Ctrl-C; the parameters are those of the last finished epoch
    """
    epochs = check_count("epochs", epochs, 0)
    batch_size = check_count("batch_size", batch_size)
    check_generator(rng)
    history = History()
    if checkpoint is not None:
        job.start = checksum(*job.parameters().values())
        fingerprint(job, batch_size)  # complains before the first epoch, not after it
        if storage.check_place(checkpoint).exists():
            resume(checkpoint, job, batch_size, history, rng)
    n_batches = -(-job.n_rows // batch_size)
    with on_one_thread(), bar(epochs * n_batches, job.name, "batch", show=progress) as shown:
        shown.update(len(history) * n_batches)
        while len(history) < epochs and not history.stopped_early:
            epoch = len(history)
            before = {name: array.copy() for name, array in job.parameters().items()}
            try:
                # Overflow is no news while it happens: what it leads to is checked right after.
                with np.errstate(over="ignore", invalid="ignore"):
                    for rows in minibatches(job.n_rows, batch_size, rng):
                        job.step(rows, epoch)
                        shown.update(1)
                    check_finite(job, epoch)
                    record = job.monitor(epoch)
            except KeyboardInterrupt:
                put_back(before, job.parameters())
                interrupted(job, history, f"in epoch {epoch + 1} of {epochs}")
                return history
            except BaseException as error:
                finite = is_finite(job)
                put_back(before, job.parameters())
                if finite or isinstance(error, DivergenceError):
                    raise
                raise divergence(job, epoch) from error
            history.records.append(record)
            try:
                history.stopped_early = job.finished(history)
                # shown with the next step: a refresh now would show the bar before its time
                recorded = {name: f"{value:.4g}" for name, value in record.items()}
                shown.set_postfix(recorded, refresh=False)
                if checkpoint is not None:
                    write_checkpoint(checkpoint, job, batch_size, history, rng)
            except KeyboardInterrupt:  # the older checkpoint is whole, and the epoch is finished
                interrupted(job, history, f"after epoch {epoch + 1} of {epochs}")
                return history
    return history


def interrupted(job: Job, history: History, when: str) -> None:
    """Note in the history that Ctrl-C ended the training, and warn."""
    history.interrupted = True
    warnings.warn(
        f"{job.name}: stopped by Ctrl-C {when}; the model is that of epoch {len(history)}",
        InterruptedTrainingWarning,
        stacklevel=4,
    )


def is_finite(job: Job) -> bool:
    """Whether no parameter is NaN or infinite."""
    return all(np.isfinite(array).all() for array in job.parameters().values())


def check_finite(job: Job, epoch: int) -> None:
    """Raise DivergenceError, with the likely causes, if a parameter is no longer finite."""
    if not is_finite(job):
        raise divergence(job, epoch)


def divergence(job: Job, epoch: int) -> DivergenceError:
    """The error that names the job, the epoch and the likely cause."""
    return DivergenceError(
        f"{job.name} diverged in epoch {epoch + 1}: a parameter became NaN or infinite. "
        f"{job.likely_cause()} The model holds the last finished epoch."
    )


def put_back(saved: dict[str, np.ndarray], live: dict[str, np.ndarray]) -> None:
    """Copy saved values into live arrays, in place."""
    for name, array in live.items():
        np.copyto(array, saved[name])


def fingerprint(job: Job, batch_size: int) -> str:
    """The settings that a checkpoint and the run that reads it must share, as sorted JSON."""
    settings = {"name": job.name, "n_rows": job.n_rows, "batch_size": batch_size}
    settings |= job.settings()
    unstable = [name for name, value in settings.items() if " at 0x" in str(value)]
    if unstable:
        raise ValueError(
            f"{', '.join(unstable)}: {settings[unstable[0]]} is named otherwise in each run, so "
            "that a checkpoint could not know it again; use one of dbnlib.schedules, or give yours "
            "a __repr__"
        )
    return json.dumps(settings, sort_keys=True)


def write_checkpoint(
    path: str | Path, job: Job, batch_size: int, history: History, rng: np.random.Generator
) -> None:
    """Everything that the next epoch depends on, in one file."""
    config = {
        "fingerprint": fingerprint(job, batch_size),
        "start": job.start,
        "records": history.records,
        "stopped_early": history.stopped_early,
        "generator": plain(rng.bit_generator.state),
    }
    storage.write(path, "checkpoint", config, {**job.parameters(), **job.memory()})


def resume(
    path: str | Path, job: Job, batch_size: int, history: History, rng: np.random.Generator
) -> None:
    """Put job, history and generator where the checkpoint says; StorageError if it is another's."""
    kind, config, arrays = storage.read(path)
    live = {**job.parameters(), **job.memory()}
    same_shapes = {n: a.shape for n, a in arrays.items()} == {n: a.shape for n, a in live.items()}
    if kind != "checkpoint" or not same_shapes:
        raise StorageError(f"{path} is no checkpoint of {job.name} with these shapes; remove it")
    if "start" not in config:
        raise StorageError(
            f"{path} was written by an earlier dbnlib, which did not note what the run started "
            "from; remove the file to start over"
        )
    mine = json.loads(fingerprint(job, batch_size))
    theirs = json.loads(config["fingerprint"])
    different = sorted(k for k in mine.keys() | theirs.keys() if mine.get(k) != theirs.get(k))
    if different:
        raise StorageError(
            f"{path} is the checkpoint of another run: {', '.join(different)} differ. "
            "Give a new path, or remove the file to start over"
        )
    mine, theirs = rng.bit_generator.state["bit_generator"], config["generator"]["bit_generator"]
    if mine != theirs:
        raise StorageError(
            f"{path} was written with the generator {theirs}, and rng is a {mine}; "
            f"pass numpy.random.Generator(numpy.random.{theirs}(seed))"
        )
    # A model goes on from the start of that run, or from where it left the model: at its last
    # epoch, after Ctrl-C in a notebook, or at its best one.
    known = {config["start"]}
    for prefix in ("", "best_"):
        if all(prefix + name in arrays for name in job.parameters()):
            known.add(checksum(*(arrays[prefix + name] for name in job.parameters())))
    if job.start not in known:
        raise StorageError(
            f"{path} belongs to a run of {job.name} that started from other parameters: another "
            "seed, or lower layers that were trained otherwise. Give a new path, or remove the "
            "file to start over"
        )
    job.start = config["start"]
    put_back(arrays, live)
    history.records[:] = config["records"]
    history.stopped_early = config["stopped_early"]
    rng.bit_generator.state = unplain(config["generator"])


def plain(state: Any) -> Any:
    """A generator's state as JSON can hold it: arrays become tagged lists."""
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items()}
    if isinstance(state, np.ndarray):
        return {"array": state.tolist(), "dtype": str(state.dtype)}
    return state


def unplain(state: Any) -> Any:
    """The inverse of `plain`."""
    if isinstance(state, dict):
        if set(state) == {"array", "dtype"}:
            return np.array(state["array"], dtype=state["dtype"])
        return {key: unplain(value) for key, value in state.items()}
    return state
