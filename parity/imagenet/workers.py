"""Which of several workers this process is, as what started it says in the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from parity.core.errors import InputError


@dataclass(frozen=True)
class Worker:
    """This process among all workers, and among those of its machine; `told_by` names the variables that say so."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1
    told_by: str = ""


class Launcher(NamedTuple):
    """The variables by which a launcher tells a process which worker it is."""

    rank: str
    world: str
    local_rank: str
    local_world: str


TORCHRUN = Launcher("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")  # which are set by hand, too
OPEN_MPI = Launcher(
    "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"
)
SLURM = Launcher("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE")
# What runs within another comes first: within Slurm, torchrun's and mpirun's processes have its variables as well.
LAUNCHERS = (TORCHRUN, OPEN_MPI, SLURM)


def environment_worker(environment: Mapping[str, str] = os.environ) -> Worker:
    """Return which worker this is by the first launcher that says it; the only one without.

    Raises InputError, which names the variable, for what is no number, and for a rank that is none of the world's.
    """
    for launcher in LAUNCHERS:
        rank = _number(environment, launcher.rank)
        world = _number(environment, launcher.world)
        # Slurm tells what it has allotted to a script, of which every command then seems to be the first task.
        is_only_allotted = launcher is SLURM and (rank is None or (rank == 0 and world is None))
        if is_only_allotted or (rank is None and world is None):
            continue
        if rank is None or world is None:
            known, missing = (launcher.world, launcher.rank) if rank is None else (launcher.rank, launcher.world)
            raise InputError(
                f"{known}={environment[known]} is set without {missing}: set both, for one of several workers, or none"
            )
        if rank >= world:
            raise InputError(
                f"{launcher.rank}={rank} with {launcher.world}={world}: expected a rank that is less than the number "
                "of workers, counted from 0"
            )
        local_rank = _number(environment, launcher.local_rank) or 0
        local_world = _local_world(environment, launcher)
        return Worker(rank, world, local_rank, local_world, f"{launcher.rank} and {launcher.world}")
    return Worker()


def _number(environment: Mapping[str, str], name: str) -> int | None:
    """Return the number in a variable; None where it is not set. Raises InputError for what is no number from 0 on."""
    text = environment.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise InputError(f"{name}={text}: expected a whole number from 0 on, as torchrun, mpirun and srun set it")
    return int(text)


def _local_world(environment: Mapping[str, str], launcher: Launcher) -> int:
    """Return how many workers this machine has; 1 where that is not told. Raises InputError for none."""
    if launcher is SLURM:
        return _tasks(environment.get(launcher.local_world, ""), _number(environment, "SLURM_NODEID") or 0)
    number = _number(environment, launcher.local_world)
    if number == 0:
        raise InputError(f"{launcher.local_world}=0: expected the number of workers on this machine")
    return number or 1


def _tasks(text: str, node: int) -> int:
    """Return how many tasks a node has by Slurm's text for all nodes, as 4(x2),3; 1 where it does not say."""
    counts: list[int] = []
    for count, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", text):
        counts += [int(count)] * int(times or 1)
    return max(1, counts[node]) if node < len(counts) else 1
