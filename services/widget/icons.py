"""The icons of the lines, drawn for Luot: strokes with round ends on a square of 24 units."""

from collections.abc import Mapping

from services.model.lines import PERIODS, Line

SIDE = 24

_CALENDAR = "M4 6h16v14H4zM4 10h16M8 3v4M16 3v4"

ICONS: Mapping[Line, str] = dict.fromkeys(PERIODS, _CALENDAR) | {
    Line.ONLINE: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21a8 8 0 0 1 16 0",
    Line.BOTS: "M5 8h14v11H5zM12 8V4M9 13v1M15 13v1M2 12v3M22 12v3",
    Line.GUESTS: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0"
    "M16 4.5a3.5 3.5 0 0 1 0 6M18.5 14.5a6.5 6.5 0 0 1 3 5.5",
    Line.TODAY: f"{_CALENDAR}M9 15l2 2 4-4",
    Line.YESTERDAY: f"{_CALENDAR}M13.5 13L11 15l2.5 2",
    Line.THIS_WEEK: f"{_CALENDAR}M8 15h8",
    Line.LAST_WEEK: f"{_CALENDAR}M8 14h8M8 17h4",
    Line.THIS_MONTH: f"{_CALENDAR}M8 14h.01M12 14h.01M16 14h.01M8 17h.01M12 17h.01",
    Line.LAST_MONTH: "M4 12a8 8 0 1 0 2.5-5.8L4 8.5V4M4 8.5h4.5M12 8v4l3 2",
    Line.THIS_YEAR: "M5 20v-7M12 20V4M19 20V9",
    Line.LAST_YEAR: "M4 20h16M7 20v-6M12 20V8M17 20v-9",
    Line.TOTAL: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3.5 3.5 3.5 14.5 0 18"
    "M12 3c-3.5 3.5-3.5 14.5 0 18",
    Line.PEAK: "M3 18l6-7 4 4 8-10M15 5h6v6",
}
