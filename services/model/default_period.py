"""The period that the pages of a site open with."""

from enum import StrEnum


class DefaultPeriod(StrEnum):
    """What is shown where nobody has asked for a period; those of reports end on the 14th."""

    OF_GROUP = ""
    """That of its group, or of the next one above that has one; else the last 30 days."""
    DAY = "day"
    YESTERDAY = "yesterday"
    LAST_7_DAYS = "7d"
    LAST_30_DAYS = "30d"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    LAST_12_MONTHS = "12mo"
    ALL = "all"
    HALF = "half"
    NINE_MONTHS = "nine_months"
    REPORT_MONTH = "report_month"
    REPORT_QUARTER = "report_quarter"
    REPORT_HALF = "report_half"
    REPORT_NINE_MONTHS = "report_nine_months"
    REPORT_YEAR = "report_year"
