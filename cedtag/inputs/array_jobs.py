"""Which task of an array of jobs this process is, as batch systems tell it in variables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedtag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class _System:
    """The variables of one batch system: the index of the task, and what the first, the last and the step are."""

    name: str
    index: str
    first: str = ""
    last: str = ""
    step: str = ""
    count: str = ""


# The names are those of the manuals: sbatch(1), qsub(1) of Grid Engine, bsub(1), qsub(1B) of PBS and of Torque. LSF
# does not tell the first index, which is 1 unless somebody wants it otherwise, and PBS nothing but the index.
_SYSTEMS = (
    _System(
        "Slurm",
        "SLURM_ARRAY_TASK_ID",
        "SLURM_ARRAY_TASK_MIN",
        "SLURM_ARRAY_TASK_MAX",
        "SLURM_ARRAY_TASK_STEP",
        "SLURM_ARRAY_TASK_COUNT",
    ),
    _System("Grid Engine", "SGE_TASK_ID", "SGE_TASK_FIRST", "SGE_TASK_LAST", "SGE_TASK_STEPSIZE"),
    _System("LSF", "LSB_JOBINDEX", "", "LSB_JOBINDEX_END", "LSB_JOBINDEX_STEP"),
    _System("PBS", "PBS_ARRAY_INDEX"),
    _System("Torque", "PBS_ARRAYID"),
)
_NONE = ("", "undefined", "0")  # what jobs that are no arrays have in their place, and variables that are not there


def shard_of_task(variables: Mapping[str, str]) -> tuple[int, int]:
    """The part (i, n) of the task that these variables tell of; InputError where there is none, or not its number."""
    for system in _SYSTEMS:
        index = variables.get(system.index, "")
        if index and not (system.name != "Slurm" and index in _NONE):
            return _shard(system, variables)
    known = ", ".join(system.index for system in _SYSTEMS)
    raise InputError(f"`shard` auto: this is no task of an array of jobs (none of {known} is set); write I/N")


def _shard(system: _System, variables: Mapping[str, str]) -> tuple[int, int]:
    index = _number(system, system.index, variables)
    if not system.last:
        raise InputError(
            f"`shard` auto: {system.name} tells a task its index and not the number of tasks; "
            f"write ${system.index}/N, for an array from 1 to N"
        )
    first = _number(system, system.first, variables) if system.first else 1
    step = _number(system, system.step, variables) if variables.get(system.step) else 1
    if system.count in variables and system.last not in variables:
        last = first + (_number(system, system.count, variables) - 1) * step
    else:
        last = _number(system, system.last, variables)
    part, count = (index - first) // max(1, step) + 1, (last - first) // max(1, step) + 1
    told = _number(system, system.count, variables) if variables.get(system.count) else count
    if step < 1 or (index - first) % step or not 1 <= part <= count or told != count:
        raise InputError(
            f"`shard` auto: the indices of this array have gaps, so that the part of index {index} is not known; "
            "use an array such as 1-8, or write I/N"
        )
    return part, count


def _number(system: _System, name: str, variables: Mapping[str, str]) -> int:
    text = variables.get(name, "")
    try:
        return int(text)
    except ValueError:
        raise InputError(f"`shard` auto: {name} of {system.name} is {text!r} and no number; write I/N") from None
