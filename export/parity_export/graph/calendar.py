"""The calendar in ONNX: year, month, day, weekday and hour of seconds since 1970, in integers alone.

Every step is exact for every int64 but the one that says missing, which is replaced before any arithmetic. A quotient
is rounded down by taking the remainder away first, ``floor(t / d) = (t - Mod(t, d)) / d``: backends differ in which way
Div rounds negative integers, not in exact quotients. The civil date is that of the proleptic Gregorian calendar,
counted from March so that the leap day is a year's last (H. Hinnant, chrono-Compatible Low-Level Date Algorithms,
2013).
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from parity_export.graph.encoder_nodes import EncoderNodes
from parity_runtime.feature import MISSING_TIMESTAMP

_DAY, _HOUR = 86_400, 3_600  # seconds
_ERA, _CENTURY, _FOUR_YEARS, _YEAR = 146_097, 36_524, 1_460, 365  # days; of 400, 100 and 4 years those without the last
_EPOCH = 719_468  # days from 0000-03-01 to 1970-01-01
_THURSDAY = 3  # 1970-01-01, counted from Monday = 0


@dataclass(frozen=True)
class CalendarParts:
    """The parts of timestamps, each ``[batch, timestamps]``.

    Attributes:
        year: float32, NaN where a timestamp is missing.
        indices: int64, month, day, weekday and hour, 0 where a timestamp is missing.
    """

    year: ir.Value
    indices: tuple[ir.Value, ...]


def calendar_parts(nodes: EncoderNodes, seconds: ir.Value) -> CalendarParts:
    """Append the arithmetic for timestamps, int64 ``[batch, timestamps]``, and return their parts."""
    missing = nodes.add("Equal", [seconds, MISSING_TIMESTAMP], "missing")
    present = nodes.add("Cast", [nodes.add("Not", [missing], "known")], "present", to=ir.DataType.INT64)
    seconds = nodes.add("Where", [missing, nodes.constant(np.int64(0)), seconds], "seconds")
    of_day = nodes.add("Mod", [seconds, _DAY], "second_of_day")
    days = _days(nodes, seconds, of_day)
    year, month, day = _civil_date(nodes, days)
    weekday = nodes.add("Mod", [nodes.add("Add", [days, _THURSDAY], "days_from_monday"), 7], "weekday_from_0")
    hour = nodes.add("Div", [of_day, _HOUR], "hour_from_0")
    from_one = [month, day, *(nodes.add("Add", [part, 1], name) for part, name in ((weekday, "w"), (hour, "h")))]
    names = ("month", "day", "weekday", "hour")
    indices = tuple(nodes.add("Mul", [part, present], name) for part, name in zip(from_one, names, strict=True))
    as_float = nodes.add("Cast", [year], "year_as_float", to=ir.DataType.FLOAT)
    nothing = nodes.constant(np.float32("nan"))
    return CalendarParts(nodes.add("Where", [missing, nothing, as_float], "year"), indices)


def _days(nodes: EncoderNodes, seconds: ir.Value, of_day: ir.Value) -> ir.Value:
    """Return floor(seconds / 86400).

    ``seconds - second_of_day`` leaves int64 near its lower end: a day is added to negative ones before, and one taken
    away afterwards.
    """
    negative = nodes.add("Cast", [nodes.add("Less", [seconds, 0], "negative")], "before_1970", to=ir.DataType.INT64)
    shift = nodes.add("Sub", [nodes.add("Mul", [negative, _DAY], "a_day"), of_day], "to_midnight")
    whole = nodes.add("Div", [nodes.add("Add", [seconds, shift], "midnight"), _DAY], "whole_days")
    return nodes.add("Sub", [whole, negative], "days")


def _civil_date(nodes: EncoderNodes, days: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return year, month and day of days since 1970; all but the first two divisions are of numbers from 0 on."""
    shifted = nodes.add("Add", [days, _EPOCH], "days_from_march")
    of_era = nodes.add("Mod", [shifted, _ERA], "day_of_era")
    era = nodes.add("Div", [nodes.add("Sub", [shifted, of_era], "era_start"), _ERA], "era")
    year_of_era = _year_of_era(nodes, of_era)
    of_year = _day_of_year(nodes, of_era, year_of_era)
    fives = nodes.add("Add", [nodes.add("Mul", [of_year, 5], "fives"), 2], "fives_and_2")
    from_march = nodes.add("Div", [fives, 153], "month_from_march")
    before = nodes.add("Add", [nodes.add("Mul", [from_march, 153], "fifths"), 2], "fifths_and_2")
    start = nodes.add("Div", [before, 5], "month_start")
    day = nodes.add("Add", [nodes.add("Sub", [of_year, start], "day_of_month"), 1], "d")
    next_year = nodes.add("Cast", [nodes.add("Less", [9, from_march], "january")], "in_next_year", to=ir.DataType.INT64)
    turned = nodes.add("Mul", [next_year, 12], "turned")
    month = nodes.add("Sub", [nodes.add("Add", [from_march, 3], "month_from_january"), turned], "m")
    years = nodes.add("Add", [year_of_era, nodes.add("Mul", [era, 400], "era_years")], "year_from_march")
    return nodes.add("Add", [years, next_year], "y"), month, day


def _year_of_era(nodes: EncoderNodes, of_era: ir.Value) -> ir.Value:
    """Return (n - n/1460 + n/36524 - n/146096) / 365 of the day n of an era of 400 years, 0 to 399."""
    fours = nodes.add("Div", [of_era, _FOUR_YEARS], "leap_days")
    centuries = nodes.add("Div", [of_era, _CENTURY], "century_days")
    last = nodes.add("Div", [of_era, _ERA - 1], "last_day")
    less = nodes.add("Sub", [nodes.add("Sub", [centuries, fours], "less_leap_days"), last], "less_days")
    return nodes.add("Div", [nodes.add("Add", [of_era, less], "common_days"), _YEAR], "year_of_era")


def _day_of_year(nodes: EncoderNodes, of_era: ir.Value, year_of_era: ir.Value) -> ir.Value:
    """Return the day of a year from March, 0 to 365: n - (365 y + y/4 - y/100)."""
    common = nodes.add("Mul", [year_of_era, _YEAR], "days_of_years")
    leap = nodes.add("Div", [year_of_era, 4], "leap_years")
    no_leap = nodes.add("Div", [year_of_era, 100], "centuries")
    before = nodes.add("Add", [common, nodes.add("Sub", [leap, no_leap], "leap")], "year_start")
    return nodes.add("Sub", [of_era, before], "day_of_year")
