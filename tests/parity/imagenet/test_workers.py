"""Which worker a process is: by each launcher, and what is said of variables that cannot be."""

import pytest

from parity.imagenet.workers import Worker, environment_worker
from tf_reference.errors import InputError


def environment(text: str) -> dict[str, str]:
    """Split NAME=value NAME=value."""
    return dict(part.split("=", 1) for part in text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, 1, 0, 1)),
        ("RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 LOCAL_WORLD_SIZE=4", (5, 8, 1, 4)),
        ("RANK=1 WORLD_SIZE=2", (1, 2, 0, 1)),
        ("RANK=1 WORLD_SIZE=2 LOCAL_RANK=1", (1, 2, 1, 1)),
        ("OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=4", (3, 4, 0, 1)),
        ("SLURM_PROCID=3 SLURM_NTASKS=4", (3, 4, 0, 1)),
        (
            "SLURM_PROCID=3 SLURM_NTASKS=5 SLURM_LOCALID=1 SLURM_NODEID=1 SLURM_STEP_TASKS_PER_NODE=2(x2),1",
            (3, 5, 1, 2),
        ),
        # Within an allotment of Slurm, not started by srun.
        ("SLURM_NTASKS=4", (0, 1, 0, 1)),
        ("SLURM_PROCID=0", (0, 1, 0, 1)),
        # torchrun's and mpirun's processes within a step of Slurm.
        ("RANK=1 WORLD_SIZE=2 SLURM_PROCID=0 SLURM_NTASKS=1", (1, 2, 0, 1)),
        ("OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 SLURM_PROCID=0 SLURM_NTASKS=1", (1, 2, 0, 1)),
    ],
)
def test_each_launcher_is_understood(text: str, expected: tuple[int, ...]) -> None:
    worker = environment_worker(environment(text))
    assert (worker.rank, worker.world, worker.local_rank, worker.local_world) == expected


def test_the_variables_are_named() -> None:
    assert environment_worker({}) == Worker()
    assert environment_worker(environment("SLURM_PROCID=1 SLURM_NTASKS=2")).told_by == "SLURM_PROCID and SLURM_NTASKS"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("RANK=2 WORLD_SIZE=2", "RANK=2 with WORLD_SIZE=2: expected a rank that is less"),
        ("RANK=0 WORLD_SIZE=0", "RANK=0 with WORLD_SIZE=0: expected a rank that is less"),
        ("RANK=1", "RANK=1 is set without WORLD_SIZE"),
        ("WORLD_SIZE=2", "WORLD_SIZE=2 is set without RANK"),
        ("RANK=-1 WORLD_SIZE=2", "RANK=-1: expected a whole number"),
        ("RANK=one WORLD_SIZE=2", "RANK=one: expected a whole number"),
        ("RANK=1 WORLD_SIZE=2.0", "WORLD_SIZE=2.0: expected a whole number"),
        ("RANK= WORLD_SIZE=2", "RANK=: expected a whole number"),
        ("RANK=1 WORLD_SIZE=2 LOCAL_RANK=x", "LOCAL_RANK=x: expected a whole number"),
        ("RANK=1 WORLD_SIZE=2 LOCAL_WORLD_SIZE=0", "LOCAL_WORLD_SIZE=0: expected the number of workers"),
        ("OMPI_COMM_WORLD_RANK=1", "OMPI_COMM_WORLD_RANK=1 is set without OMPI_COMM_WORLD_SIZE"),
        ("OMPI_COMM_WORLD_RANK=4 OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=4 with OMPI_COMM_WORLD_SIZE=4"),
        ("SLURM_PROCID=1", "SLURM_PROCID=1 is set without SLURM_NTASKS"),
        ("SLURM_PROCID=4 SLURM_NTASKS=4", "SLURM_PROCID=4 with SLURM_NTASKS=4"),
        ("SLURM_PROCID=x SLURM_NTASKS=4", "SLURM_PROCID=x: expected a whole number"),
    ],
)
def test_what_cannot_be_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        environment_worker(environment(text))
    assert str(caught.value).startswith(message)
