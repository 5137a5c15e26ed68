"""What can go wrong, sorted by what the user has to change; each class carries its exit code."""


class FemliError(Exception):
    """Any failure that femli reports in one sentence instead of a traceback."""

    exit_code = 5


class CaseError(FemliError):
    """The input is wrong: case file, overrides, result folder, resume.

    Args:
        faults: one sentence a fault, each naming file, key, value and what is allowed.
    """

    exit_code = 2

    def __init__(self, *faults: str) -> None:
        self.faults: list[str] = list(faults)
        super().__init__("\n".join(self.faults))


class MeshError(FemliError):
    """The mesh could not be made, is unreadable, or lacks a named part."""

    exit_code = 3


class SolveError(FemliError):
    """No convergence at the smallest time step."""

    exit_code = 4


class OutputError(FemliError):
    """A file or a picture could not be written."""

    exit_code = 5
