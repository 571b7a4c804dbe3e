"""The known formats, and how the format of a file is recognised."""

from services.tables.file import TableFile
from services.tables.formats.dnn import Dnn
from services.tables.formats.drupal import Drupal
from services.tables.formats.format import TableFormat
from services.tables.formats.ga4 import GoogleAnalytics
from services.tables.formats.goatcounter import GoatCounter
from services.tables.formats.joomla import Joomla
from services.tables.formats.matomo import Matomo
from services.tables.formats.nukeviet import NukeViet
from services.tables.formats.plain import PlainList
from services.tables.formats.plausible import Plausible
from services.tables.formats.umami import Umami
from services.tables.formats.wp_statistics import WpStatistics
from services.tables.line import TableError

FORMATS: tuple[TableFormat, ...] = (
    PlainList(),
    NukeViet(),
    Joomla(),
    Drupal(),
    WpStatistics(),
    Dnn(),
    Plausible(),
    GoatCounter(),
    Umami(),
    Matomo(),
    GoogleAnalytics(),
)
NAMES = tuple(known.name for known in FORMATS)

_UNKNOWN = "columns that are not named, as CREATE TABLE is missing"


def recognised(file: TableFile, name: str = "") -> TableFormat:
    """Return the format of a file, which has to be `name` if that is given.

    Raises TableError if the file has no known format, several, or another one.
    """
    if name and name not in NAMES:
        raise TableError(f"--format {name!r} is not known; expected one of {', '.join(NAMES)}")
    tables = file.tables()
    fitting = {known.name: known for known in FORMATS if known.recognises(tables)}
    if name in fitting:
        return fitting[name]
    if name:
        wanted = next(known for known in FORMATS if known.name == name)
        other = f"; it looks like {' or '.join(fitting)}" if fitting else ""
        raise TableError(f"{file.name} is no export of {wanted.title}{other}")
    if not tables:
        raise TableError(f"{file.name} has no rows; expected an export of a counter")
    if not fitting:
        seen = "; ".join(
            f"{table or 'columns'}: {', '.join(columns)[:200] or _UNKNOWN}"
            for table, columns in list(tables.items())[:3]
        )
        raise TableError(
            f"{file.name} is of no format that is known ({seen}); expected one of"
            f" {', '.join(NAMES)}"
        )
    if len(fitting) > 1:
        raise TableError(
            f"{file.name} holds tables of {' and '.join(fitting)}; say which with --format"
        )
    return next(iter(fitting.values()))
