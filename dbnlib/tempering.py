"""Parallel tempering: chains at several temperatures that hand their states to one another.

A Gibbs chain of a well-trained RBM stays in one mode for ever. At a lower inverse temperature β
the modes melt together, and a chain crosses freely. Replica k samples

    p_β(v, h) ∝ exp(−β U(v, h) − r(v) − r(h))        U(v, h) = −b'v − c'h − v'Wh

with β₀ = 1 > β₁ > … ≥ 0; the layers' own energies r are not scaled, as in `RBM.gibbs_step`. After
each Gibbs step, neighbours i and j = i + 1 exchange their states with probability

    min(1, exp((βᵢ − βⱼ)(Uᵢ − Uⱼ)))

which leaves the product of all p_β unchanged (detailed balance). So the states at β = 1 are draws
from the model itself, and they come from everywhere.

Sources: Swendsen and Wang (1986); Geyer (1991); for RBMs Desjardins, Courville, Bengio, Vincent,
Delalleau (2010).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dbnlib.checks import check_array, check_count, check_generator
from dbnlib.gradients import Gradient, GradientEstimator
from dbnlib.normalisable import check_normalisable
from dbnlib.progress import bar
from dbnlib.rbm import RBM

#: replicas where nothing else is said
N_REPLICAS = 10


def check_temperatures(betas: Any) -> np.ndarray:
    """`betas` as an array that falls from 1, not below 0; N_REPLICAS from 1 to 0 for None."""
    if betas is None:
        return np.linspace(1.0, 0.0, N_REPLICAS)
    betas = check_array("betas", betas, ndim=1).astype(np.float64)
    if betas[0] != 1 or (np.diff(betas) >= 0).any() or betas[-1] < 0:
        raise ValueError(
            f"betas must start with 1 and fall, down to 0 at the lowest, got {betas.tolist()}; "
            "numpy.linspace(1, 0, 10) will do for small machines"
        )
    return betas


class TemperedChains:
    """Replicas of Gibbs chains at falling inverse temperatures.

    Parameters
    ----------
    rbm : the machine whose states these are
    v : array of shape (n_chains, n_visible)
        where the chains start; every replica starts there
    betas : array that falls from 1, optional
        one inverse temperature a replica; ten from 1 to 0 if not given. Neighbours must overlap
        enough to exchange states: look at `swap_rates`

    Attributes
    ----------
    states : ndarray of shape (n_replicas, n_chains, n_visible), live
    """

    def __init__(self, rbm: RBM, v: Any, betas: Any = None):
        check_normalisable(rbm)
        self.betas = check_temperatures(betas)
        self.states = np.tile(rbm.check_visible("v", v), (len(self.betas), 1, 1))
        self._accepted = np.zeros(len(self.betas) - 1)
        self._proposed = 0

    def __repr__(self) -> str:
        n_replicas, n_chains, _ = self.states.shape
        return f"TemperedChains({n_chains} chains × {n_replicas} temperatures)"

    @property
    def cold(self) -> np.ndarray:
        """The states at β = 1, shape (n_chains, n_visible): a view."""
        return self.states[0]

    @property
    def swap_rates(self) -> np.ndarray:
        """Share of exchanges accepted so far between neighbours, shape (n_replicas − 1,)."""
        return self._accepted / max(1, self._proposed)

    def step(self, rbm: RBM, rng: np.random.Generator) -> None:
        """One Gibbs step of each replica, then exchanges of even pairs, then of odd ones."""
        n_replicas, n_chains, _ = self.states.shape
        # Replicas and chains side by side, so that one product with W serves them all.
        beta = np.repeat(self.betas, n_chains)[:, None].astype(rbm.dtype)
        v = self.states.reshape(n_replicas * n_chains, -1)
        # h ~ p_β(h | v), v ~ p_β(v | h): both fields times β
        h = rbm.hidden.sample(beta * rbm.hidden_field(v), rng)
        y = rbm.visible_field(h)
        v = rbm.visible.sample(beta * y, rng)
        # U(v, h) = −c'h − (b + hW')'v
        U = -(h @ rbm.c) - np.einsum("ni,ni->n", y, v)
        source = self._exchange(U.reshape(n_replicas, n_chains).astype(np.float64), rng)
        v = v.reshape(self.states.shape)
        np.copyto(self.states, np.take_along_axis(v, source[:, :, None], axis=0))

    def _exchange(self, U: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """From which replica each one takes its state, shape (n_replicas, n_chains)."""
        n_replicas, n_chains = U.shape
        source = np.tile(np.arange(n_replicas)[:, None], (1, n_chains))
        for first in (0, 1):
            i = np.arange(first, n_replicas - 1, 2)
            j = i + 1
            # log of the odds: (βᵢ − βⱼ)(Uᵢ − Uⱼ)
            gain = (self.betas[i] - self.betas[j])[:, None] * (U[i] - U[j])
            accepted = rng.random(gain.shape) < np.exp(np.minimum(gain, 0))
            self._accepted[i] += accepted.mean(axis=1)
            for array in (U, source):
                array[i], array[j] = (
                    np.where(accepted, array[j], array[i]),
                    np.where(accepted, array[i], array[j]),
                )
        self._proposed += 1
        return source


def parallel_tempering(
    rbm: RBM,
    v: Any,
    n_steps: int,
    rng: np.random.Generator,
    *,
    betas: Any = None,
    progress: bool | None = False,
) -> np.ndarray:
    """The states at β = 1 after `n_steps` steps of parallel tempering.

    Parameters
    ----------
    v : array of shape (n_chains, n_visible), where the chains start
    n_steps : each is one Gibbs step of every replica, and the exchanges
    betas : see `TemperedChains`

    Returns
    -------
    ndarray of shape (n_chains, n_visible)

    Raises
    ------
    NotNormalisableError
        where there is no distribution to sample, see `dbnlib.normalisable`
    ValueError
        for betas that do not fall from 1
    """
    check_generator(rng)
    chains = TemperedChains(rbm, v, betas)
    with bar(check_count("n_steps", n_steps, 0), "tempering", "step", show=progress) as shown:
        for _ in range(n_steps):
            chains.step(rbm, rng)
            shown.update(1)
    return chains.cold.copy()


class PT(GradientEstimator):
    """The negative phase by parallel tempering: persistent chains that do not stay in one mode.

    It costs as many Gibbs steps for each chain as there are replicas. The visible states are always
    drawn, as suits data that are states; for grey data choose PCD(k, sample_visible=False), or
    binarise them.

    Parameters
    ----------
    k : steps of the tempered chains for each gradient
    betas : inverse temperatures from 1 downward, ten from 1 to 0 if not given
    n_chains : chains at each temperature; as many as a minibatch has rows if not given

    Source: Desjardins, Courville, Bengio, Vincent, Delalleau (2010).
    """

    def __init__(self, k: int = 1, *, betas: Any = None, n_chains: int | None = None):
        self.k = check_count("k", k)
        self.betas = check_temperatures(betas)
        self.n_chains = n_chains if n_chains is None else check_count("n_chains", n_chains)

    def __repr__(self) -> str:
        return f"PT(k={self.k}, betas={self.betas.tolist()}, n_chains={self.n_chains})"

    def start(self, rbm: RBM, batch_size: int, rng: np.random.Generator) -> None:
        """Start the chains from the visible biases alone."""
        field = np.tile(rbm.b, (self.n_chains or batch_size, 1))
        self.chains = TemperedChains(rbm, rbm.visible.sample(field, rng), self.betas)

    def memory(self) -> dict[str, np.ndarray]:
        """The states of all replicas."""
        return {"chains": self.chains.states}

    def fantasies(self) -> np.ndarray:
        """The states at β = 1."""
        return self._started("chains").cold

    def gradient(
        self, rbm: RBM, v: np.ndarray, rng: np.random.Generator, *, scale: float = 1.0
    ) -> Gradient:
        """See `GradientEstimator.gradient`."""
        scale = rbm.dtype.type(scale)
        h = rbm.hidden.mean(rbm.hidden_field(v))
        chains = self._started("chains")
        for _ in range(self.k):
            chains.step(rbm, rng)
        v1 = chains.cold
        h1 = rbm.hidden.mean(rbm.hidden_field(v1))
        v_data, h_data = v.mean(axis=0), h.mean(axis=0)
        # ⟨vh'⟩_data − ⟨vh'⟩_model, and likewise for v and h
        W = scale * (v.T @ h / len(v) - v1.T @ h1 / len(v1))
        b = scale * (v_data - v1.mean(axis=0))
        c = scale * (h_data - h1.mean(axis=0))
        return Gradient(W, b, c, v_data, h_data)
