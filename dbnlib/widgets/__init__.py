"""Figures to play with: a module or two for a notebook, one plain function a picture.

Each function draws its picture for given values and returns the matplotlib figure, so that it can
be called without a slider, and looked at without a kernel. The sliders themselves are set up in the
notebooks, by ipywidgets' `interact`; nothing here needs ipywidgets.

    from dbnlib.widgets import landscape
    landscape(temperature=0.5)
"""

from importlib import import_module
from typing import Any

#: each name, and the module that it loads from when it is first asked for
_LAZY = {
    "bound_ascent": "bound",
    "bound_facts": "bound",
    "boundary_facts": "network",
    "bowl_paths": "network",
    "chain_step": "chains",
    "confusion": "finetuning",
    "confusion_counts": "finetuning",
    "cool": "energy",
    "cooling": "energy",
    "damage": "mending",
    "decision_boundary": "network",
    "descend": "network",
    "dream": "generation",
    "expert_distributions": "rbm",
    "few_labels": "finetuning",
    "image_rows": "generation",
    "jensen_chord": "bound",
    "label_facts": "finetuning",
    "landscape": "energy",
    "machine_graph": "energy",
    "mend": "mending",
    "mend_facts": "mending",
    "passes_graph": "network",
    "probabilities": "energy",
    "rate_and_k": "chains",
    "record_dreams": "generation",
    "record_gibbs": "chains",
    "product_of_experts": "rbm",
    "record_mending": "mending",
    "stack_graph": "bound",
    "state_facts": "rbm",
    "transfer_graph": "finetuning",
    "two_valleys": "energy",
    "unit_switches": "rbm",
    "valley_shares": "energy",
}

__all__ = [*_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"dbnlib.widgets has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"dbnlib.widgets.{_LAZY[name]}"), name)
