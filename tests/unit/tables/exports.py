"""Writes exports into files, and converts them as the command does."""

import gzip
import zipfile
from collections import Counter
from pathlib import Path

from services.model.calendar import zone
from services.tables.convert import convert
from services.tables.line import ReadOptions
from services.tables.sums import Sums


def write(folder: Path, text: str, name: str = "export.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def pack(folder: Path, members: dict[str, str], name: str = "export.zip") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    return path


def converted(
    path: Path, name: str = "", address: str = "", time_zone: str = "Asia/Ho_Chi_Minh"
) -> tuple[str, Sums, Counter[str]]:
    """Return the format's name, the sums and what was left out."""
    how = ReadOptions(zone(time_zone), address)
    known, sums = convert(path, name, how)
    return known.name, sums, how.left_out
