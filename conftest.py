"""What a plain `pytest --nbval notebooks` needs to compare as `course test` does.

A notebook that trains shows a progress bar, and where it stands when the cell ends is chance: a
kernel under nbval therefore shows none, and has the environment that `course test` gives it.
"""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment that nbval's kernels inherit; without nbval, nothing."""
    if config.getoption("nbval", False) or config.getoption("nbval_lax", False):
        from exercises.common import batch_environment

        environment = batch_environment()
        os.environ.clear()
        os.environ.update(environment)
