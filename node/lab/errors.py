"""What the lab refuses, with the exit code of its process."""

from __future__ import annotations

from node.exit_codes import Exit
from protocol.errors import PegboardError


class LabError(PegboardError):
    """Base of the lab's refusals; `exit_code` is for the process."""

    name = "lab_error"
    exit_code: Exit = Exit.USAGE


class BadPlan(LabError):
    """An option of a plan cannot be read, is out of bounds, or asks for too much."""

    name = "bad_plan"


class PackageMissing(LabError):
    """A package that only some uses need is not installed; tells the extra that has it."""

    name = "package_missing"
    exit_code = Exit.CONFIGURATION

    def __init__(self, package: str, extra: str, error: ImportError) -> None:
        super().__init__(
            f"this needs {package} here: pip install 'pegboard[{extra}]'", value=str(error)
        )


class ForeignResults(LabError):
    """The directory holds the results of another plan, or something else."""

    name = "foreign_results"
    exit_code = Exit.CONFIGURATION


class DamagedResults(LabError):
    """The directory's results are cut or changed; tells the file and the line."""

    name = "damaged_results"
    exit_code = Exit.DAMAGED


class SchedulerUnreachable(LabError):
    """No Dask scheduler answers, it has no workers, or it was lost."""

    name = "scheduler_unreachable"
    exit_code = Exit.UNREACHABLE


class OtherVersion(LabError):
    """A Dask worker has another pegboard, or none."""

    name = "other_version"
    exit_code = Exit.CONFIGURATION


class PlayerLost(LabError):
    """A process that played runs was killed."""

    name = "player_lost"
    exit_code = Exit.BROKEN
