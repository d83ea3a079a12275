"""Learning in a general Boltzmann machine: one rule for each coupling, visible or hidden.

For the mean log-likelihood of the data rows,

    ∂/∂Jᵢⱼ = ⟨xᵢxⱼ⟩_data − ⟨xᵢxⱼ⟩_model        ∂/∂bᵢ = ⟨xᵢ⟩_data − ⟨xᵢ⟩_model

where Jᵢⱼ and Jⱼᵢ are one parameter. In ⟨·⟩_data the visible units are clamped to the data and
the hidden ones follow; in ⟨·⟩_model all units run free. Unlike in an RBM, *both* phases are sums
over exponentially many states, since hidden units that are connected depend on each other even
when the visible ones are known. Two strategies get at them:

- `ExactPhases`: the sums themselves, for small machines;
- `SampledPhases`: Gibbs chains for both.

Sources: Ackley, Hinton, Sejnowski (1985); for persistent chains Neal (1992).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dbnlib.boltzmann import BoltzmannMachine
from dbnlib.checks import check_array, check_count, check_generator, check_kind, check_real
from dbnlib.loop import History, Job, checksum, run_epochs
from dbnlib.sampling import run_chain
from dbnlib.schedules import Schedule, check_schedule, value_at

#: up to so many units the exact log-likelihood is recorded each epoch
WATCHED_UNITS = 16

Monitor = Callable[[BoltzmannMachine], float]
#: E[xx'] and E[x]: shapes (n_units, n_units) and (n_units,)
Moments = tuple[np.ndarray, np.ndarray]


class Phases:
    """A way to get both phases: `start` once, then `gradient` for each minibatch."""

    def start(self, machine: BoltzmannMachine, rng: np.random.Generator) -> None:
        """Make what lives as long as the training, such as chains."""

    def memory(self) -> dict[str, np.ndarray]:
        """Arrays that a checkpoint must keep."""
        return {}

    def positive(self, machine: BoltzmannMachine, v: np.ndarray, rng: Any) -> Moments:
        """⟨xx'⟩_data and ⟨x⟩_data, the visible units clamped to the rows of v."""
        raise NotImplementedError

    def negative(self, machine: BoltzmannMachine, rng: Any) -> Moments:
        """⟨xx'⟩_model and ⟨x⟩_model, no unit clamped."""
        raise NotImplementedError

    def gradient(
        self, machine: BoltzmannMachine, v: Any, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """∂L/∂J and ∂L/∂b, L being the mean log-likelihood of the rows of v, in nats.

        Parameters
        ----------
        v : array of shape (n_examples, n_visible), zeros and ones
        rng : generator, not needed by `ExactPhases`

        Returns
        -------
        dJ, db
            shapes (n_units, n_units), symmetric with a zero diagonal, and (n_units,); float64

        Source: Ackley, Hinton, Sejnowski (1985).
        """
        data_second, data_first = self.positive(machine, v, rng)
        model_second, model_first = self.negative(machine, rng)
        # dJ = ⟨xx'⟩_data − ⟨xx'⟩_model, db = ⟨x⟩_data − ⟨x⟩_model
        dJ = data_second - model_second
        # Rounding may differ on both sides of the diagonal; J must stay symmetric to the last bit.
        dJ = (dJ + dJ.T) / 2
        np.fill_diagonal(dJ, 0)
        return dJ, data_first - model_first


class ExactPhases(Phases):
    """Both phases by enumeration: all 2ⁿ states each step, so up to a dozen units or so."""

    def __repr__(self) -> str:
        return "ExactPhases()"

    def positive(self, machine: BoltzmannMachine, v: np.ndarray, rng: Any) -> Moments:
        """The hidden units summed out, given each row of v."""
        return machine.clamped_moments(v)

    def negative(self, machine: BoltzmannMachine, rng: Any) -> Moments:
        """The sum over all states of the machine."""
        return machine.moments()


class SampledPhases(Phases):
    """Both phases by Gibbs chains.

    Positive phase: one chain a row, its visible units clamped, its hidden units started by the
    toss of a coin. Negative phase: free chains. Persistent ones go on from where the last gradient
    left them; otherwise they too start by the toss of a coin each time, and then `n_sweeps` must be
    enough to forget it.

    As the couplings grow, chains move ever more rarely between the machine's likely states. Then
    the exact log-likelihood rises, turns and falls: a lower learning rate or some weight decay
    puts that off.

    Parameters
    ----------
    n_chains : number of free chains
    n_sweeps : sweeps of all chains, clamped and free, for each gradient
    persistent : whether the free chains live as long as the training
    """

    def __init__(self, n_chains: int = 100, n_sweeps: int = 5, *, persistent: bool = True):
        self.n_chains = check_count("n_chains", n_chains)
        self.n_sweeps = check_count("n_sweeps", n_sweeps)
        self.persistent = bool(persistent)
        self._chains: np.ndarray | None = None

    def __repr__(self) -> str:
        return (
            f"SampledPhases(n_chains={self.n_chains}, n_sweeps={self.n_sweeps}, "
            f"persistent={self.persistent})"
        )

    def start(self, machine: BoltzmannMachine, rng: np.random.Generator) -> None:
        """Free chains in random states."""
        self._chains = coin_tosses((self.n_chains, machine.n_units), machine, rng)

    def memory(self) -> dict[str, np.ndarray]:
        """The free chains, where they are persistent."""
        return {"chains": self._chains} if self.persistent else {}

    def positive(self, machine: BoltzmannMachine, v: np.ndarray, rng: Any) -> Moments:
        """Averages over one chain a row, after `n_sweeps` sweeps of the hidden units."""
        v = machine.check_visible("v", v)
        h = coin_tosses((len(v), machine.n_hidden), machine, rng)
        clamped = np.arange(machine.n_units) < machine.n_visible
        return averages(run_chain(machine, np.hstack([v, h]), self.n_sweeps, rng, clamped=clamped))

    def negative(self, machine: BoltzmannMachine, rng: Any) -> Moments:
        """Averages over the free chains, `n_sweeps` sweeps further on."""
        fits = self._chains is not None and self._chains.shape[1] == machine.n_units
        if not (self.persistent and fits):
            self.start(machine, rng)
        self._chains[...] = run_chain(machine, self._chains, self.n_sweeps, rng)
        return averages(self._chains)


def coin_tosses(
    shape: tuple[int, int], machine: BoltzmannMachine, rng: np.random.Generator
) -> np.ndarray:
    """Random bits in the machine's dtype."""
    return check_generator(rng).integers(0, 2, shape).astype(machine.dtype)


def averages(x: np.ndarray) -> Moments:
    """The means of xx' and of x over the rows, in float64."""
    x = x.astype(np.float64)
    return x.T @ x / len(x), x.mean(axis=0)


class BoltzmannJob(Job):
    """One machine, its data, its phases and the rules by which a step is made."""

    name = "Boltzmann machine"

    def __init__(
        self,
        machine: BoltzmannMachine,
        v: np.ndarray,
        phases: Phases,
        learning_rate: float | Schedule,
        momentum: float | Schedule,
        weight_decay: float,
        connected: np.ndarray | None,
        monitors: Mapping[str, Monitor],
        rng: np.random.Generator,
    ):
        self.machine, self.v, self.n_rows, self.rng = machine, v, len(v), rng
        self.phases, self.monitors, self.connected = phases, monitors, connected
        self.learning_rate, self.momentum = learning_rate, momentum
        self.weight_decay = weight_decay
        self._velocity_J, self._velocity_b = np.zeros_like(machine.J), np.zeros_like(machine.b)
        phases.start(machine, rng)

    def parameters(self) -> dict[str, np.ndarray]:
        """J and b."""
        return {"J": self.machine.J, "b": self.machine.b}

    def memory(self) -> dict[str, np.ndarray]:
        """Velocities, and what the phases remember."""
        velocities = {"velocity_J": self._velocity_J, "velocity_b": self._velocity_b}
        return velocities | self.phases.memory()

    def settings(self) -> dict[str, Any]:
        """What a resumed run must share with the one it goes on from."""
        return {
            "dtype": str(self.machine.dtype),
            "phases": repr(self.phases),
            "learning_rate": repr(self.learning_rate),
            "momentum": repr(self.momentum),
            "weight_decay": self.weight_decay,
            "connected": checksum(self.connected),
            "n_visible": self.machine.n_visible,
            "data": checksum(self.v),
        }

    def step(self, rows: np.ndarray, epoch: int) -> None:
        """One minibatch: velocity ← momentum · velocity + rate · gradient; J ← J + velocity."""
        machine, rate = self.machine, value_at(self.learning_rate, epoch)
        momentum = value_at(self.momentum, epoch)
        dJ, db = self.phases.gradient(machine, self.v[rows], self.rng)
        dJ -= self.weight_decay * machine.J
        if self.connected is not None:
            dJ *= self.connected
        # Multiply in float64, then round once to the machine's dtype.
        self._velocity_J[...] = momentum * self._velocity_J + rate * dJ
        self._velocity_b[...] = momentum * self._velocity_b + rate * db
        machine.J += self._velocity_J
        machine.b += self._velocity_b

    def monitor(self, epoch: int) -> dict[str, float]:
        """The exact log-likelihood where the machine is small, and the monitors asked for."""
        record = {}
        if self.machine.n_units <= WATCHED_UNITS:
            record["log_likelihood"] = float(self.machine.log_likelihood(self.v).mean())
        return record | {name: float(m(self.machine)) for name, m in self.monitors.items()}


def train_boltzmann(
    machine: BoltzmannMachine,
    v: Any,
    *,
    epochs: int,
    rng: np.random.Generator,
    learning_rate: float | Schedule = 0.1,
    phases: Phases | None = None,
    batch_size: int | None = None,
    momentum: float | Schedule = 0.0,
    weight_decay: float = 0.0,
    connected: Any = None,
    monitors: Mapping[str, Monitor] | None = None,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
) -> History:
    """Raise the log-likelihood of the rows of v by gradient ascent, in place.

    velocity ← momentum · velocity + rate · (gradient − decay · J);  J ← J + velocity

    Parameters
    ----------
    v : array of shape (n_examples, n_visible), zeros and ones
    epochs : number of passes over the rows
    learning_rate, momentum : numbers, or functions of the epoch; see `dbnlib.schedules`
    phases : `ExactPhases()` (default) or `SampledPhases(...)`
    batch_size : rows in a minibatch; all rows if not given
    weight_decay : factor of the penalty ½ Σ Jᵢⱼ² over pairs; biases are not decayed
    connected : bool array of shape (n_units, n_units), symmetric, optional
        pairs whose coupling is trained; the others keep theirs. `between_layers(n_visible,
        n_hidden)` of `dbnlib.boltzmann` leaves a machine that started as an RBM an RBM
    monitors : mapping from names to functions of the machine, recorded each epoch. The mean exact
        log-likelihood of v comes by itself up to 16 units
    checkpoint, progress : see `dbnlib.loop.run_epochs`

    Returns
    -------
    History
        one value of each monitor an epoch

    Raises
    ------
    DivergenceError
        when the parameters leave the finite numbers; they are those of the last finished epoch
    NotNormalisableError
        for `ExactPhases` on a machine that is too large to enumerate
    ValueError, TypeError
        for input out of range

    Source: Ackley, Hinton, Sejnowski (1985).
    """
    check_kind("machine", machine, BoltzmannMachine)
    v = machine.check_visible("v", v)
    phases = ExactPhases() if phases is None else phases
    if not isinstance(phases, Phases):
        raise TypeError(f"phases must be ExactPhases() or SampledPhases(...), got {phases!r}")
    if connected is not None:
        connected = check_array("connected", connected, ndim=2, shape=machine.J.shape) != 0
        if (connected != connected.T).any():
            raise ValueError(
                "connected must be symmetric: the coupling of i with j is that of j with i; "
                "pass connected | connected.T"
            )
    job = BoltzmannJob(
        machine,
        v,
        phases,
        check_schedule("learning_rate", learning_rate, 0),
        check_schedule("momentum", momentum, 0, 1),
        check_real("weight_decay", weight_decay, 0),
        connected,
        monitors or {},
        check_generator(rng),
    )
    batch_size = (
        len(v) if batch_size is None else min(check_count("batch_size", batch_size), len(v))
    )
    return run_epochs(
        job, epochs=epochs, batch_size=batch_size, rng=rng, checkpoint=checkpoint, progress=progress
    )
