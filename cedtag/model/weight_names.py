"""The names of tensors in weight files: the Hub's, and those of CED's original repository."""

from __future__ import annotations

ENCODER, HEAD = "encoder.", "outputlayer."
PARALLEL = "module."  # what DataParallel puts before every name
STEP_COUNTER = "num_batches_tracked"  # of batch norm: it matters only with a momentum of None


def hub_name(name: str) -> str | None:
    """The Hub's name of a tensor; None for the front end, which in the original repository is among the weights."""
    name = name.removeprefix(PARALLEL)
    if name.startswith("front_end."):
        return None
    name = name.replace("init_bn.1.", "init_bn.")
    return name if name.startswith((ENCODER, HEAD)) else ENCODER + name
