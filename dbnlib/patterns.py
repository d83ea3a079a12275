"""Small sets of patterns, each as probable as the next, whose best likelihood is known exactly.

No model can give a list of patterns a mean log-likelihood above the list's negative entropy
(`best_log_likelihood`):

====================================  =====  =================
set                                   rows   best mean, nats
====================================  =====  =================
`bars_and_stripes(3)`                 16     −2.5993
`bars_and_stripes(3, distinct=True)`  14     −2.6391 = −log 14
`bars_and_stripes(4)`                 32     −3.3791
`bars_and_stripes(4, distinct=True)`  30     −3.4012 = −log 30
`shifting_bar(9)`                     9      −2.1972 = −log 9
====================================  =====  =================
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dbnlib.checks import check_array, check_count
from dbnlib.units import Bernoulli


def bars_and_stripes(n: int, *, distinct: bool = False, dtype: type = np.float32) -> np.ndarray:
    """All images of n x n pixels whose columns (bars) or whose rows (stripes) are of one value.

    Parameters
    ----------
    n : pixels along each side, 16 at most
    distinct : the convention. All-off and all-on can each be reached as bars and as stripes.
        False (default): they are there twice, 2·2ⁿ rows; they are twice as probable as the rest.
        True: they are there once, 2·2ⁿ − 2 rows, all equally probable.

    Returns
    -------
    ndarray of shape (n_patterns, n²) with values 0 and 1, bars first

    The best mean log-likelihood, with N = 2·2ⁿ rows: −log N + (4/N) log 2, or −log(N − 2) for
    distinct rows.

    Source: MacKay (2003), Information Theory, Inference, and Learning Algorithms, chapter 43.
    """
    n = check_count("n", n)
    if n > 16:
        raise ValueError(f"n must be at most 16, got {n}: there would be 2^{n + 1} patterns")
    lines = Bernoulli(n).states(0, 2**n, dtype)
    bars = np.tile(lines, (1, n))
    stripes = np.repeat(lines, n, axis=1)
    # The first line is all off and the last all on.
    return np.concatenate([bars, stripes[1:-1] if distinct else stripes])


def shifting_bar(n: int, width: int = 1, dtype: type = np.float32) -> np.ndarray:
    """The n places of a bar of `width` ones on a ring of n pixels; row i starts its bar at i.

    Returns
    -------
    ndarray of shape (n, n) with values 0 and 1; the best mean log-likelihood is −log n
    """
    n = check_count("n", n, 2)
    width = check_count("width", width)
    if width >= n:
        raise ValueError(f"width must be less than n={n}, or all rows are the same, got {width}")
    bar = (np.arange(n) < width).astype(dtype)
    return np.stack([np.roll(bar, shift) for shift in range(n)])


def best_log_likelihood(rows: Any) -> float:
    """Σ p log p over the distinct rows, where p is how often a row occurs: minus their entropy.

    No model gives these rows a higher mean log-likelihood, and one with all probability on them,
    in their proportions, attains it. A machine with finite weights only comes near.

    Parameters
    ----------
    rows : array of shape (n_examples, n_features)

    Returns
    -------
    float, in nats per row; times n_examples it is the bound of the sum

    Source: Gibbs' inequality, as in MacKay (2003), section 2.6.
    """
    rows = check_array("rows", rows, ndim=2)
    _, counts = np.unique(rows, axis=0, return_counts=True)
    p = counts / len(rows)
    return float(np.sum(p * np.log(p)))
