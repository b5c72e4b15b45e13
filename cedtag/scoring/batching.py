"""How many windows a call holds on a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cedtag.model.config import CedConfig

# A call must end soon after a Ctrl-C, and its activations should stay in the processor's cache.
_CPU_WINDOWS = 4
_CPU_CALL_FLOP = 60e9


def flop_per_window(config: CedConfig) -> int:
    """The floating-point operations of the matrix products for the longest window."""
    rows, columns = config.grid_size
    tokens, dim = rows * columns, config.embed_dim
    return 2 * config.depth * tokens * (4 * dim**2 + 2 * dim * config.hidden_dim + 2 * tokens * dim)


def cpu_batch_size(config: CedConfig) -> int:
    """The default number of windows in a call on a CPU: four, fewer for large models."""
    return int(max(1, min(_CPU_WINDOWS, _CPU_CALL_FLOP // flop_per_window(config))))
