"""Cells whose output nbval does not compare, each with the reason why it cannot."""

from __future__ import annotations

#: what every lesson has; a lesson without it is complained about like any reason without a cell
LESSON = {"check-exercise": "the reader's own exercise: the notebook passes, done or not"}

#: notebook → cell id → why the cell may carry a tag such as nbval-ignore-output
ALLOWED: dict[str, dict[str, str]] = {
    "01_energy_functions.ipynb": {
        "landscape_slider": "a slider: its view has another id in each kernel",
        "cooling_slider": "a slider: its view has another id in each kernel",
    },
    "02_the_binary_rbm.ipynb": {
        "switches-live": "check boxes: their view has another id in each kernel",
    },
    "03_contrastive_divergence.ipynb": {
        "chain-play": "a slider: its view has another id in each kernel",
        "rate-k-play": "two menus: their view has another id in each kernel",
    },
    "04_stacking_the_dbn_and_its_bound.ipynb": {
        "ascent-slider": "a slider, whose identity differs from run to run",
    },
    "05_a_network_from_scratch.ipynb": {
        "bowl-play": "two sliders: their view has another id in each kernel",
        "boundary-play": "a slider: its view has another id in each kernel",
    },
    "06_fine_tuning.ipynb": {
        "few-slider": "a slider: its view has another id in each kernel",
        "confusion-play": "two menus: their view has another id in each kernel",
    },
    "07_generative_reconstruction.ipynb": {
        "dream-play": "a menu and a slider: their view has another id in each kernel",
        "mend-play": "menus and sliders: their view has another id in each kernel",
    },
}
