"""How gradients become steps: gradient descent with momentum, and Adam.

An optimiser is started on the arrays that it is to change, and from then on changes them in place:

    optimiser.start(parameters)              makes its own arrays (velocities, moments)
    optimiser.step(gradients, epoch)         one step down the gradients

θ is any parameter, g the slope of the loss in it, plus λθ where `start` was told of a weight decay
λ: the slope of ½λΣθ². Rates and momenta may follow a schedule (see `dbnlib.schedules`).

Sources: Polyak (1964) and Sutskever et al. (2013) for momentum; Kingma and Ba (2015) for Adam.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from dbnlib.checks import check_real
from dbnlib.inplace import add_scaled, scale
from dbnlib.schedules import check_schedule, value_at

Rate = float | Callable[[int], float]


class Optimiser:
    """What the optimisers share: the arrays that they change, and their own arrays beside them."""

    #: names of the arrays that stand beside each parameter from step to step
    state_names: ClassVar[tuple[str, ...]]
    #: how many arrays of a parameter's shape a step needs for the moment
    n_buffers: int = 0
    learning_rate: Rate

    def start(
        self, parameters: Sequence[np.ndarray], weight_decay: Sequence[float] | None = None
    ) -> None:
        """Take on these arrays, and forget all earlier steps.

        Parameters
        ----------
        parameters : float arrays of any shapes, all of one dtype; `step` changes them in place
        weight_decay : one λ for each parameter; 0 if not given
        """
        self.parameters = list(parameters)
        self.weight_decay = [0.0] * len(parameters) if weight_decay is None else list(weight_decay)
        if len(self.weight_decay) != len(self.parameters):
            raise ValueError(
                f"weight_decay must have one number for each of the {len(self.parameters)} "
                f"parameters, got {len(self.weight_decay)}"
            )
        self.state = {name: [np.zeros_like(p) for p in parameters] for name in self.state_names}
        #: number of steps made so far
        self.t = np.zeros(1, dtype=np.int64)
        # The same buffers serve all parameters, each through views of its own shape.
        largest = max(p.size for p in parameters)
        buffers = np.empty((self.n_buffers, largest), dtype=parameters[0].dtype)
        self._scratch = [[b[: p.size].reshape(p.shape) for b in buffers] for p in parameters]

    def memory(self) -> dict[str, np.ndarray]:
        """The live arrays that the next step depends on, apart from the parameters, by name."""
        state = {
            f"{name}_{number}": array
            for name, arrays in self.state.items()
            for number, array in enumerate(arrays)
        }
        return {"steps": self.t, **state}

    def step(self, gradients: Sequence[np.ndarray], epoch: int) -> None:
        """Change the parameters by one step; the gradients are left as they are.

        Parameters
        ----------
        gradients : one array for each parameter, of its shape
        epoch : the epoch, counted from 0, by which schedules are read
        """
        raise NotImplementedError


class SGD(Optimiser):
    """Gradient descent with momentum; 'stochastic' where each gradient is that of a minibatch.

        v ← μv − ε(g + λθ)        θ ← θ + v

    Parameters
    ----------
    learning_rate : ε, a number or a schedule
    momentum : μ in [0, 1], a number or a schedule
    nesterov :
        take the slope where the momentum is about to carry θ. Written for the point φ = θ + μv,
        which is then what the parameters hold:  φ ← φ + μv − ε(g + λφ), with the new v.

    Sources: Polyak (1964); Sutskever et al. (2013), eqs. 1 to 4; Bengio et al. (2013), section 3.5,
    for Nesterov's form with φ.
    """

    state_names = ("velocity",)

    def __init__(self, learning_rate: Rate, momentum: Rate = 0.0, *, nesterov: bool = False):
        self.learning_rate = check_schedule("learning_rate", learning_rate, 0)
        self.momentum = check_schedule("momentum", momentum, 0, 1)
        self.nesterov = bool(nesterov)
        self.n_buffers = int(self.nesterov)

    def __repr__(self) -> str:
        return f"SGD({self.learning_rate!r}, momentum={self.momentum!r}, nesterov={self.nesterov})"

    def step(self, gradients: Sequence[np.ndarray], epoch: int) -> None:
        """v ← μv − ε(g + λθ), θ ← θ + v."""
        rate, momentum = value_at(self.learning_rate, epoch), value_at(self.momentum, epoch)
        self.t += 1
        velocities = self.state["velocity"]
        for theta, g, v, decay, buffers in zip(
            self.parameters, gradients, velocities, self.weight_decay, self._scratch, strict=True
        ):
            # v ← μv − ε(g + λθ)
            scale(v, momentum)
            if self.nesterov:
                before = buffers[0]
                np.copyto(before, v)
            add_scaled(v, -rate, g)
            if decay:
                add_scaled(v, -rate * decay, theta)
            # θ ← θ + v, or φ ← φ + v + μv − μv_before
            add_scaled(theta, 1, v)
            if self.nesterov:
                add_scaled(theta, momentum, v)
                add_scaled(theta, -1, before)


class Adam(Optimiser):
    """Steps of about the size ε in every parameter, whatever the scale of its gradient.

        m ← β₁m + (1 − β₁)g            m̂ = m / (1 − β₁ᵗ)
        s ← β₂s + (1 − β₂)g²           ŝ = s / (1 − β₂ᵗ)
        θ ← θ − ε m̂ / (√ŝ + tiny)

    m and s are moving averages of the gradient and of its square, started at 0; the divisors take
    out the pull towards that start. With weight decay g is the slope of loss and penalty together.

    Parameters
    ----------
    learning_rate : ε, a number or a schedule
    beta1, beta2 : β₁ and β₂ in [0, 1), how slowly the averages forget
    epsilon : `tiny`, which keeps the division sane; this is the name it has in the paper

    Source: Kingma and Ba (2015), algorithm 1 (the paper writes α for ε, and v for s).
    """

    state_names = ("mean", "square")
    n_buffers = 2

    def __init__(
        self,
        learning_rate: Rate = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ):
        self.learning_rate = check_schedule("learning_rate", learning_rate, 0)
        self.beta1 = check_real("beta1", beta1, 0, 1)
        self.beta2 = check_real("beta2", beta2, 0, 1)
        if self.beta1 == 1 or self.beta2 == 1:
            raise ValueError("beta1 and beta2 must be below 1; at 1 the averages never leave 0")
        self.epsilon = check_real("epsilon", epsilon, 0, open_low=True)

    def __repr__(self) -> str:
        return (
            f"Adam({self.learning_rate!r}, beta1={self.beta1}, beta2={self.beta2}, "
            f"epsilon={self.epsilon})"
        )

    def step(self, gradients: Sequence[np.ndarray], epoch: int) -> None:
        """m ← β₁m + (1 − β₁)g, s ← β₂s + (1 − β₂)g², θ ← θ − ε m̂ / (√ŝ + tiny)."""
        rate = value_at(self.learning_rate, epoch)
        self.t += 1
        t = int(self.t[0])
        correction1, correction2 = 1 - self.beta1**t, 1 - self.beta2**t
        means, squares = self.state["mean"], self.state["square"]
        for theta, g, m, s, decay, (slope, change) in zip(
            self.parameters,
            gradients,
            means,
            squares,
            self.weight_decay,
            self._scratch,
            strict=True,
        ):
            if decay:
                # g + λθ
                np.copyto(slope, g)
                add_scaled(slope, decay, theta)
                g = slope
            # m ← β₁m + (1 − β₁)g
            scale(m, self.beta1)
            add_scaled(m, 1 - self.beta1, g)
            # s ← β₂s + (1 − β₂)g²
            np.multiply(g, g, out=change)
            scale(s, self.beta2)
            add_scaled(s, 1 - self.beta2, change)
            # θ ← θ − ε m̂ / (√ŝ + tiny)
            np.multiply(s, 1 / correction2, out=change)
            np.sqrt(change, out=change)
            change += self.epsilon
            np.divide(m, change, out=change)
            add_scaled(theta, -rate / correction1, change)
