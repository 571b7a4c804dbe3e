"""Results on the disk: one file a subject, so that each can be measured again alone."""

from pathlib import Path
from typing import Any, Self

import msgspec

from benchmarks.measure import Result


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one subject, when, and on what."""

    subject: str
    measured_at: str
    quick: bool
    machine: dict[str, Any]
    results: list[Result]

    def write(self, folder: Path) -> None:
        """Write it into its file, over an older one; remove what was written before its end."""
        self._write(folder / f"{self.subject}.json")
        self._partial(folder).unlink(missing_ok=True)

    def write_partial(self, folder: Path) -> None:
        """Write what there is before the end, where `read_all` does not look."""
        self._write(self._partial(folder))

    def _partial(self, folder: Path) -> Path:
        return folder / f"{self.subject}.json.partial"

    def _write(self, file: Path) -> None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read one file. Raises ValueError when it holds no report."""
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except msgspec.MsgspecError as error:
            raise ValueError(f"{file}: {error}; expected a report of the benchmarks") from None

    def find(self, what: str) -> Result | None:
        """Return a result by its name."""
        return next((result for result in self.results if result.what == what), None)


def read_all(folder: Path) -> dict[str, Report]:
    """Return the reports of a folder by subject."""
    reports = (Report.read(file) for file in sorted(folder.glob("*.json")))
    return {report.subject: report for report in reports}
