"""The events of voids: a row of `events.csv` for each, and one for each new mesh."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from femli import tables
from femli.units import LENGTH

EVENTS = "events.csv"


class Happening(NamedTuple):
    """An event of a run.

    Attributes:
        kind: what has happened (columns of `events.csv`).
        x: where [um], if anywhere.
        void: change of the voids' area [um2] or volume [um3].
        shift: rigid shift of the collector that makes up for it [um].
    """

    kind: str
    x: float | None
    void: float
    shift: float = 0.0


class Opened(NamedTuple):
    """What a run remembers of its opening contact, for checkpoints.

    Attributes:
        flaws: numbers of the flaws that have become voids.
        futile: how often in a row all that had let go came down at once.
        wait: steps until the contact is tried again.
    """

    flaws: Sequence[int] = ()
    futile: int = 0
    wait: int = 0


def append(path: Path, event: Happening, when: tuple[float, float], voids: int, power: int) -> None:
    """Write one row; on one rank.

    Args:
        path: the file; it gets its header with its first row.
        event: what has happened.
        when: time [s] and capacity [mAh/cm2].
        voids: how many there are now.
        power: 2 where voids have an area, 3 where they have a volume.
    """
    row = {
        "time [s]": when[0],
        "capacity [mAh/cm^2]": when[1],
        "event [-]": event.kind,
        "x [m]": "" if event.x is None else event.x * LENGTH,
        "void_count [-]": voids,
        f"void_{'volume' if power == 3 else 'area'}_change [m^{power}]": event.void * LENGTH**power,
        "collector_shift [m]": event.shift * LENGTH,
    }
    tables.append(path, list(row), [list(row.values())])
