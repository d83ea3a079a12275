"""Uniform random numbers, which every draw of binary units starts from.

Beside the matrix products they are the dearest part of a Gibbs step. A float32 has 24 digits, so
that each 64-bit word of the generator holds two numbers. NumPy's own way takes a call for each
number; taking the words as they are saves 40 % of the time (measured, `tests/benchmarks`).
"""

from __future__ import annotations

import numpy as np

#: generators whose every raw word has 64 random bits; `MT19937`, which has 32, is not one
WIDE = (np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64)


def uniforms(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: type, out: np.ndarray | None = None
) -> np.ndarray:
    """Independent numbers from [0, 1), multiples of 2⁻²⁴ in float32 and of 2⁻⁵³ in float64.

    Parameters
    ----------
    out : array of this shape and dtype, contiguous, to put them into

    Returns
    -------
    ndarray : `out`, or a new array
    """
    if dtype != np.float32 or not isinstance(rng.bit_generator, WIDE):
        return rng.random(shape, dtype=dtype, out=out)
    out = np.empty(shape, np.float32) if out is None else out
    words = rng.bit_generator.random_raw((out.size + 1) // 2)
    bits = words.view(np.uint32)[: out.size].reshape(shape)
    # u = ⌊bits / 2⁸⌋ · 2⁻²⁴, never 1; as signed numbers, which processors convert faster
    bits >>= np.uint32(8)
    np.copyto(out, bits.view(np.int32), casting="unsafe")
    out *= np.float32(2**-24)
    return out
