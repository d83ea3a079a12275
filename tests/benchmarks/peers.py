"""Which of the libraries that users would otherwise take are installed here."""

from __future__ import annotations

import importlib.util
from importlib.metadata import PackageNotFoundError, version

#: import name → name of the distribution
PEERS = {"sklearn": "scikit-learn", "torch": "torch", "jax": "jax", "learnergy": "learnergy"}


def is_here(name: str) -> bool:
    """Whether a module can be imported, without doing so."""
    return importlib.util.find_spec(name) is not None


def versions() -> dict[str, str]:
    """The versions of the peers; those that are not installed are missing."""
    found = {}
    for name, distribution in PEERS.items():
        if is_here(name):
            try:
                found[distribution] = version(distribution)
            except PackageNotFoundError:
                found[distribution] = "unknown"
    return found
