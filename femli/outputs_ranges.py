"""Whether a run stays in the ranges in which its laws were measured."""

import logging

from femli.materials_electrode import Electrode

log = logging.getLogger("femli")


class Ranges:
    """Warns once where a state leaves the range of a law.

    Args:
        electrode: the ranges.
    """

    def __init__(self, electrode: Electrode) -> None:
        self.electrode = electrode
        self.warned: set[str] = set()

    def check(self, time: float, stress: float, li_fraction: float, layered: bool) -> None:
        """Judge a state.

        Args:
            time: of the state [s].
            stress: largest equivalent stress [Pa].
            li_fraction: smallest one at the contact [-].
            layered: whether the contact may turn into a layer.
        """
        limit = self.electrode.creep_stress_range[1]
        if stress > limit and "stress" not in self.warned:
            self.warned.add("stress")
            log.warning(
                "warning: equivalent stress %.3g MPa at t = %.4g s is beyond the creep law's measured range "
                "(up to %.3g MPa)",
                stress / 1e6,
                time,
                limit / 1e6,
            )
        lowest = self.electrode.li_fraction_range[0]
        # A contact that turns into a layer stays a little below the limit.
        margin = 1e-3 if layered else 1e-9
        if li_fraction < lowest * (1 - margin) and "li_fraction" not in self.warned:
            self.warned.add("li_fraction")
            log.warning(
                "warning: Li fraction %.3g at t = %.4g s is below the range of the laws (from %.3g)",
                li_fraction,
                time,
                lowest,
            )
