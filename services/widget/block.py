"""The text of a block: heading, digits and lines, in any rendering."""

from collections.abc import Mapping
from html import escape
from typing import Any, NamedTuple, Self

from services.model.display import (
    HEADINGS,
    VIEWS,
    Gap,
    Look,
    gap_before,
    grouped,
    line_text,
    padded,
    with_unit,
)
from services.model.lines import Line


class Block(NamedTuple):
    """The text of a block.

    name    its accessible name, even if no heading is shown
    digits  the total with leading zeros, '' for none
    lines   pairs of label and number
    kinds   which line each of them is; () if they are not lines of a site
    gap     the index of the line that has a gap above it, 0 for none
    """

    look: Look
    name: str
    heading: str
    digits: str
    lines: tuple[tuple[str, str], ...]
    kinds: tuple[Line, ...] = ()
    gap: int = 0

    @classmethod
    def of_site(cls, look: Look, numbers: Mapping[str, Any], *, every: bool = False) -> Self:
        """Return the block of a site; `numbers` is the decoded body of `/api/counter/{site}`.

        `every` is for programs: it includes lines that are otherwise shown only above 0.
        """

        def count(line: Line) -> int:
            value = numbers[line]
            return int(value["online"] if line is Line.PEAK else value)

        lines = tuple(line for line in look.lines if every or count(line) or not line.above_zero)
        return cls(
            look=look,
            name=look.heading.strip() or HEADINGS[look.lang],
            heading=look.heading,
            digits=padded(count(Line.TOTAL), look.digits) if look.digits else "",
            lines=tuple(
                (
                    look.labels[line],
                    with_unit(line, grouped(count(line), look.format), look.unit),
                )
                for line in lines
            ),
            kinds=lines,
            gap=gap_before(lines) if look.gap is Gap.ONLINE else 0,
        )

    @classmethod
    def of_page(cls, look: Look, views: int) -> Self:
        """Return the one line of a page: `Lượt xem: 445`."""
        label = VIEWS[look.lang]
        return cls(
            look=look,
            name=look.heading.strip() or label,
            heading=look.heading,
            digits="",
            lines=((label, grouped(views, look.format)),),
        )

    def sentences(self) -> list[str]:
        """Return the numbers for a screen reader, with the digits read as the total."""
        lines = [line_text(label, number) for label, number in self.lines]
        return [self.total(), *lines] if self.digits else lines

    def total(self) -> str:
        """Return the total that the digits show, as a line without leading zeros."""
        return line_text(self.look.labels[Line.TOTAL], str(int(self.digits)))


def text(block: Block, heading: str | None) -> str:
    """Return the block as lines for a server-side include.

    There is a heading only if the address names one, so that otherwise each line is one number.
    The text is escaped for the page around it.
    """
    lines = [line_text(label, number) for label, number in block.lines]
    above = [part for part in (heading, block.digits) if part]
    return "".join(f"{escape(line, quote=False)}\n" for line in [*above, *lines])
