"""How good is a generative model: what its rows are worth, how that was computed, and how surely.

Of a small machine log p(v) is known exactly. Of a large RBM it is −F(v) − log Z, with log Z by
annealed importance sampling. Of a DBN even that is out of reach, and one reports two lower bounds:

    ELBO(v)   = E[log w]               w = p(v, h) / q(h | v),  h ~ q(h | v)
    ELBO_K(v) = E[log (1/K) Σₖ wₖ]     with K draws: ELBO = ELBO_1 ≤ ELBO_2 ≤ … → log p(v)

Each mean carries two uncertainties, and the report keeps them apart: the standard error says how
much the mean would change with other rows, the interval how surely it was computed for these rows.

An AIS estimate of log Z is too low on average, and makes a likelihood look too high: with it, a
bound is only an estimate of a bound.

Sources: Salakhutdinov and Murray (2008); Burda, Grosse, Salakhutdinov (2016).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from dbnlib.annealed import ais, ais_both
from dbnlib.bound import (
    BoundEstimate,
    estimate_bound,
    exact_bound,
    exact_log_likelihood,
    log_weights,
)
from dbnlib.checks import (
    NotNormalisableError,
    check_choice,
    check_count,
    check_generator,
    check_kind,
)
from dbnlib.dbn import DBN
from dbnlib.exact import is_small, log_likelihood, log_partition
from dbnlib.log_z import N_ERRORS
from dbnlib.normalisable import check_normalisable
from dbnlib.rbm import RBM

#: `evaluate` enumerates a layer of up to so many states, some seconds' work
MAX_STATES = 2**16
#: rows × (repeats − 1), at the least, that the standard error of the weighted bound rests on
DEGREES_OF_FREEDOM = 30


def importance_weighted_bound(
    dbn: DBN,
    v: Any,
    rng: np.random.Generator,
    *,
    n_samples: int = 100,
    n_repeats: int = 2,
    top_log_z: float | None = None,
) -> BoundEstimate:
    """ELBO_K(v) = E[log (1/K) Σₖ wₖ], with K = `n_samples` weights w = p(v, h) / q(h | v).

    Parameters
    ----------
    v : array of shape (n_examples, n_visible), states
    n_samples : K; with 1 this is the ELBO, and it tends to log p(v) as K grows
    n_repeats : how often the K draws are made; value and standard error are over these, at least 2
    top_log_z : log Z of the top RBM, enumerated if not given; with an estimate of it this is no
        certain bound any more

    Returns
    -------
    BoundEstimate
        value and standard error of each row, in nats

    Source: Burda, Grosse, Salakhutdinov (2016).
    """
    check_kind("dbn", dbn, DBN)
    n_samples = check_count("n_samples", n_samples)
    n_repeats = check_count("n_repeats", n_repeats, 2)
    if top_log_z is None:
        top_log_z = log_partition(dbn.top)
    repeats = np.array(
        [
            logsumexp(log_weights(dbn, v, n_samples, rng, top_log_z=top_log_z), axis=0)
            for _ in range(n_repeats)
        ]
    )
    value = repeats.mean(axis=0) - math.log(n_samples)
    return BoundEstimate(value, repeats.std(axis=0, ddof=1) / math.sqrt(n_repeats))


@dataclass(frozen=True)
class Line:
    """One mean over rows: what of, over which rows, and how surely.

    Attributes
    ----------
    standard_error : what the mean would vary by with other rows
    low, high : the interval of the mean of these rows, from log Z and from the draws; both are the
        mean itself where it is exact
    """

    quantity: str
    rows: str
    n_rows: int
    mean: float
    standard_error: float
    low: float
    high: float


@dataclass(frozen=True, repr=False)
class Report:
    """What `evaluate` found; `print` shows it as a table, `as_dict` gives it as plain data.

    Attributes
    ----------
    model, method, generator : in words
    log_z, log_z_low, log_z_high : log Z of the RBM, or of a DBN's top RBM, with its interval
    lines : list of Line
    """

    model: str
    method: str
    generator: str
    log_z: float
    log_z_low: float
    log_z_high: float
    lines: list[Line]

    def as_dict(self) -> dict[str, Any]:
        """Strings, numbers, and a list of such dicts: ready for JSON.

        The standard error of a single row, NaN in its line, is None here: JSON has no NaN.
        """
        report = asdict(self)
        for line in report["lines"]:
            if math.isnan(line["standard_error"]):
                line["standard_error"] = None
        return report

    def __getitem__(self, key: tuple[str, str]) -> Line:
        """The line of a quantity and its rows, such as `report["log p(v)", "held out"]`."""
        for line in self.lines:
            if (line.quantity, line.rows) == tuple(key):
                return line
        there = ", ".join(repr((line.quantity, line.rows)) for line in self.lines)
        raise KeyError(f"the report has no line {key!r}; it has {there}")

    def __repr__(self) -> str:
        table = [("nats", "rows", "number", "mean", "± s.e.", "low", "high")]
        for x in self.lines:
            numbers = (f"{number:.2f}" for number in (x.mean, x.standard_error, x.low, x.high))
            table.append((x.quantity, x.rows, str(x.n_rows), *numbers))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        interval = f", {self.log_z_low:.2f} to {self.log_z_high:.2f}"
        text = [
            self.model,
            f"log Z = {self.log_z:.2f}{interval * (self.log_z_low < self.log_z_high)}",
            f"by {self.method}",
            f"random numbers: {self.generator}",
        ]
        for row in table:
            cells = [
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            text.append("  ".join(cells))
        return "\n".join(text)


@dataclass(frozen=True)
class _LogZ:
    """A value with its interval, and how it came about."""

    value: float
    low: float
    high: float
    method: str

    @property
    def exact(self) -> bool:
        return self.low == self.high


def evaluate(
    model: RBM | DBN,
    train: Any,
    held_out: Any,
    rng: np.random.Generator,
    *,
    log_z: str = "auto",
    reverse: bool = False,
    n_samples: int = 100,
    progress: bool | None = None,
    **annealing: Any,
) -> Report:
    """The report on a generative model: mean log p(v), or bounds of it, on both sets of rows.

    Of an RBM it is log p(v). Of a DBN it is log p(v) and the bound where all layers can be
    enumerated; otherwise the bound and the importance-weighted bound, both by Monte Carlo.

    Parameters
    ----------
    train, held_out : arrays of shape (n_examples, n_visible), states; `held_out` may be None
    log_z : 'auto' (default) enumerates where a layer has at most 2¹⁶ states, 'exact' always, and
        'ais' never
    reverse : whether to anneal in the reverse direction too; the interval then spans both, and the
        forward value is the estimate
    n_samples : draws from q for each row of a DBN, at least 2. For the importance-weighted bound
        they are made twice, and for fewer than 30 rows so often that rows × (repeats − 1) is at
        least 30: with fewer repeats the interval would be too narrow
    annealing : settings of `dbnlib.annealed.ais`, such as n_chains, n_betas, betas, burn_in; the
        directions are the business of `reverse`

    Returns
    -------
    Report

    Raises
    ------
    NotNormalisableError
        where the model has no likelihood, or log_z='exact' is too much
    ValueError
        for grey values, which have no probability

    Warns
    -----
    DirectionsDisagreeWarning
        with `reverse`, see `dbnlib.annealed.ais_both`
    """
    if not isinstance(model, RBM | DBN):
        raise TypeError(f"model must be an RBM or a DBN, got {model!r}")
    generator = describe_generator(check_generator(rng))
    check_choice("log_z", log_z, ("auto", "exact", "ais"))
    n_samples = check_count("n_samples", n_samples, 2)
    if "direction" in annealing:
        raise TypeError(
            "evaluate always anneals forward, and with reverse=True in both directions; drop "
            "direction"
        )
    dbn = model if isinstance(model, DBN) else DBN([model])
    sets = {"train": dbn.rbms[0].check_visible_states("train", train)}
    if held_out is not None:
        sets["held out"] = dbn.rbms[0].check_visible_states("held_out", held_out)
    check_normalisable(dbn.top)
    if log_z == "exact" or (log_z == "auto" and is_small(dbn.top, MAX_STATES)):
        value = log_partition(dbn.top, progress=progress)
        z = _LogZ(value, value, value, "enumeration, exact")
    else:
        # the top RBM's own data: the training rows, carried up
        data = dbn.top_rows(sets["train"], rng)
        z = _annealed(dbn.top, rng, reverse, {"data": data, "progress": progress} | annealing)
    lines = [
        line
        for name, v in sets.items()
        for line in (
            [_line("log p(v)", name, log_likelihood(dbn.top, v, log_z=z.value), z)]
            if dbn.n_layers == 1
            else _lines_of_dbn(dbn, name, v, rng, z, n_samples)
        )
    ]
    return Report(repr(model), z.method, generator, z.value, z.low, z.high, lines)


def _annealed(rbm: RBM, rng: np.random.Generator, reverse: bool, settings: dict[str, Any]) -> _LogZ:
    """log Z by AIS: the forward value, and the interval of all directions together."""
    estimates = [*ais_both(rbm, rng, **settings)] if reverse else [ais(rbm, rng, **settings)]
    forward = estimates[0]
    found = ", ".join(
        f"{e.direction} {e.value:.2f} (effective sample size {e.effective_sample_size:.0f})"
        for e in estimates
    )
    method = f"AIS, {forward.n_chains} chains × {forward.n_betas} temperatures: {found}"
    low, high = min(e.low for e in estimates), max(e.high for e in estimates)
    return _LogZ(forward.value, low, high, method)


def _lines_of_dbn(
    dbn: DBN, name: str, v: np.ndarray, rng: np.random.Generator, z: _LogZ, n_samples: int
) -> list[Line]:
    """Exact values where all layers can be enumerated, else the two bounds by Monte Carlo."""
    if z.exact:
        try:
            return [
                _line("log p(v)", name, exact_log_likelihood(dbn, v, top_log_z=z.value), z),
                _line("bound", name, exact_bound(dbn, v, top_log_z=z.value), z),
            ]
        except NotNormalisableError:
            pass
    estimate = "" if z.exact else "estimate of the "
    plain = estimate_bound(dbn, v, rng, n_samples=n_samples, top_log_z=z.value)
    n_repeats = 1 + math.ceil(DEGREES_OF_FREEDOM / len(v))
    weighted = importance_weighted_bound(
        dbn, v, rng, n_samples=n_samples, n_repeats=n_repeats, top_log_z=z.value
    )
    return [
        _line(f"{estimate}bound", name, plain.value, z, plain.mean_standard_error),
        _line(
            f"{estimate}bound, {n_samples} importance weights",
            name,
            weighted.value,
            z,
            weighted.mean_standard_error,
        ),
    ]


def _line(quantity: str, rows: str, values: np.ndarray, z: _LogZ, from_draws: float = 0.0) -> Line:
    """The mean of `values`, which contain −log Z once each."""
    n, mean = len(values), float(values.mean())
    standard_error = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    low = mean - (z.high - z.value) - N_ERRORS * from_draws
    high = mean + (z.value - z.low) + N_ERRORS * from_draws
    return Line(quantity, rows, n, mean, standard_error, low, high)


def describe_generator(rng: np.random.Generator) -> str:
    """A generator in words, such as 'PCG64 from seed 7'; what was drawn since is not told."""
    seed = getattr(rng.bit_generator, "seed_seq", None)
    words = f"{type(rng.bit_generator).__name__} from seed {getattr(seed, 'entropy', 'unknown')}"
    key = getattr(seed, "spawn_key", ())
    return f"{words}, child {'.'.join(map(str, key))}" if key else words
