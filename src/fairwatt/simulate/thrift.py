"""How people of the street that is shown pay: not as those of the street that is judged."""

from dataclasses import replace

from fairwatt.simulate.residents import Habit
from fairwatt.simulate.scenario import AWAY_HOME, Home


def thriftier(home: Home, *, foreseen: bool) -> Home:
    """The street that is judged lives from hand to mouth; the one that is shown pays for days or weeks."""
    if foreseen:
        return home
    times = 2 + home.index * 5 % 7
    if home.index == AWAY_HOME:
        return replace(home, resident=replace(home.resident, habit=Habit.AWAY))
    resident = replace(home.resident, usual_minor=home.resident.usual_minor * times)
    return replace(home, resident=resident, opening_micro=home.opening_micro * times)
