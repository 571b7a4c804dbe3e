"""The lines and labels of other counters, which the readers of a portal are used to."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from services.model.lines import DEFAULT_LINES, Line


class Wording(StrEnum):
    """Whose lines and Vietnamese labels a block has, where nothing else is set."""

    LUOT = "luot"
    NUKEVIET = "nukeviet"
    LIFERAY = "liferay"
    VINAORA = "vinaora"
    ASPNET = "aspnet"
    FOOTER = "footer"


class Words(NamedTuple):
    """The lines in order, labels that differ from the default, and the gap after those online."""

    lines: tuple[Line, ...]
    labels: Mapping[Line, str]
    gap: bool = False


_WEEKS_AND_MONTHS = (Line.THIS_WEEK, Line.LAST_WEEK, Line.THIS_MONTH, Line.LAST_MONTH)

WORDINGS: Mapping[Wording, Words] = {
    Wording.LUOT: Words(DEFAULT_LINES, {}),
    Wording.NUKEVIET: Words(
        (Line.ONLINE, Line.BOTS, Line.GUESTS, Line.TODAY, Line.THIS_MONTH, Line.TOTAL),
        {Line.THIS_MONTH: "Tháng hiện tại"},
        gap=True,
    ),
    Wording.LIFERAY: Words(
        (Line.TOTAL, Line.ONLINE, Line.TODAY, Line.YESTERDAY, *_WEEKS_AND_MONTHS), {}
    ),
    Wording.VINAORA: Words(
        (Line.TODAY, Line.YESTERDAY, *_WEEKS_AND_MONTHS, Line.TOTAL), {Line.TOTAL: "Tất cả"}
    ),
    Wording.ASPNET: Words(
        (Line.ONLINE, Line.TODAY, Line.YESTERDAY, *_WEEKS_AND_MONTHS, Line.TOTAL),
        {Line.ONLINE: "Đang online", Line.TOTAL: "Tất cả"},
    ),
    Wording.FOOTER: Words(
        (Line.ONLINE, Line.TODAY, Line.THIS_MONTH, Line.TOTAL),
        {
            Line.ONLINE: "Online",
            Line.TODAY: "Trong ngày",
            Line.THIS_MONTH: "Trong tháng",
        },
    ),
}
