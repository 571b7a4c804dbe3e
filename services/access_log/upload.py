"""Imports access logs: reads them line by line, and sends their pages in chunks, each once."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from services.access_log.client import ImportClient, UploadOptions, UploadState
from services.access_log.file import FormatOptions, LogFile, examine_parts
from services.access_log.hits import HitReader, LeftOut
from services.access_log.parser import AccessLog
from services.access_log.parts import Imported
from services.access_log.unchanged import Unchanged
from services.log import batch
from services.model.downloads import are_downloads
from services.model.hit import Hit, Visit
from services.model.site import Site

CHUNK_BYTES = 48 * 1024
"""The API accepts 64 KiB; most chunks of 500 hits are a third of this."""

Progress = Callable[[LogFile, AccessLog], None]
_PROGRESS_LINES = 2000


class FileResult(msgspec.Struct, kw_only=True):
    """The result of importing one file.

    begun     the state before this import: 'new', 'resumed' or 'done'
    format    of its lines; `address` is the field with the reader's address
    addresses how many different ones the whole file has; `hosts` (host → lines) and `days` likewise
    lines     request lines read
    pages     of those, views by people
    visits    of those, first views of a visit
    downloads lines that are downloads which count
    sent      pages and downloads sent now; the others were already in the log
    left_out  reason → lines
    broken    number and beginning of the first unreadable lines
    unsorted  lines much older than a line before them, which may split a visit in two
    """

    file: str
    digest: str
    begun: str
    first_at: int
    last_at: int
    format: str
    address: str
    addresses: int
    days: int
    hosts: dict[str, int]
    lines: int = 0
    pages: int = 0
    visits: int = 0
    downloads: int = 0
    sent: int = 0
    left_out: Counter[str] = msgspec.field(default_factory=Counter)
    broken: list[tuple[int, str]] = msgspec.field(default_factory=list)
    unsorted: int = 0
    warnings: list[str] = msgspec.field(default_factory=list)


def examine_all(
    paths: Sequence[Path],
    looked: Callable[[Path], None],
    options: FormatOptions | None = None,
    site: Site | None = None,
    known: Mapping[str, Imported] | None = None,
) -> list[LogFile]:
    """Examine files and return each content once, oldest first. Raises AccessLogError.

    `known` are imports of the site by digest: a file that has grown since is split into the
    imported part and the rest.
    """
    by_digest: dict[str, LogFile] = {}
    for path in paths:
        looked(path)
        for file in examine_parts(path, options, site, known):
            by_digest.setdefault(file.digest, file)
    return sorted(by_digest.values(), key=lambda file: (file.first_at, file.last_at))


def import_all(
    files: Sequence[LogFile],
    states: Sequence[UploadState],
    client: ImportClient,
    reader: HitReader,
    options: UploadOptions,
    progress: Progress,
) -> Iterator[FileResult]:
    """Import files one after another; yield each result once the whole file is counted.

    `states` are what a dry run returned for the files. Files that are done are read as well if
    others follow, because a visit may continue from one file into the next. Raises AccessLogError
    and UnfinishedError.
    """
    open_files = [index for index, state in enumerate(states) if not state.done]
    last_open = max(open_files, default=-1)
    for index, (file, state) in enumerate(zip(files, states, strict=True)):
        result = FileResult(
            file=str(file.path),
            digest=file.digest,
            begun="done" if state.done else "resumed" if state.taken else "new",
            first_at=file.first_at,
            last_at=file.last_at,
            warnings=[*file.warnings, *state.warnings],
            format=file.format,
            address=file.address,
            addresses=file.addresses,
            days=file.days,
            hosts=file.hosts,
        )
        if not state.done and not options.dry_run:
            _read(file, result, reader, progress, partial(_begun, client, file, options))
            client.finish(file.digest)
        elif options.dry_run or index < last_open:
            _read(file, result, reader, progress)
        yield result


def _begun(
    client: ImportClient, file: LogFile, options: UploadOptions, unchanged: Unchanged
) -> "Chunks":
    return Chunks(client, file.digest, client.begin(file, options), unchanged.check)


def _read(
    file: LogFile,
    result: FileResult,
    reader: HitReader,
    progress: Progress,
    begun: "Callable[[Unchanged], Chunks] | None" = None,
) -> None:
    unsorted = reader.visits.unsorted
    before = 0, 0
    # Lines written after the file was examined belong to another import.
    with AccessLog(file.path, file.opened, upto=file.lines) as log:
        unchanged = Unchanged(log, file.stamp, file.digest, file.lines)
        chunks = None if begun is None else begun(unchanged)
        salt = "" if chunks is None else chunks.salt
        for line in log:
            if log.number <= file.after:
                before = log.lines, log.broken
                continue
            hit = reader.read(line, salt)
            if isinstance(hit, Hit):
                is_download = are_downloads(hit.site)
                result.downloads += is_download
                result.pages += not is_download
                result.visits += hit.visit is Visit.STARTS
                if chunks is not None:
                    chunks.add(log.number, hit)
            else:
                result.left_out[hit.value] += 1
            if log.lines % _PROGRESS_LINES == 0:
                progress(file, log)
        unchanged.check_all()
        if chunks is not None:
            chunks.flush()
            result.sent = chunks.sent
        progress(file, log)
    result.lines += log.lines - before[0]
    result.broken = log.examples
    result.unsorted = reader.visits.unsorted - unsorted
    if broken := log.broken - before[1]:
        result.left_out[LeftOut.UNREADABLE.value] = broken


class Chunks:
    """Splits the pages of a file into chunks, and sends what is not in the log yet."""

    def __init__(
        self,
        client: ImportClient,
        digest: str,
        begun: UploadState,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`check` is called before pages are sent, and raises if they must not be."""
        self._check = check
        self._client = client
        self._digest = digest
        self._taken = begun.taken
        self._queued: list[tuple[int, Hit]] = []
        self.salt = begun.salt
        self.sent = 0

    def add(self, number: int, hit: Hit) -> None:
        """Queue the page of a line; send a chunk once enough are queued."""
        if number > self._taken:
            self._queued.append((number, hit))
            if len(self._queued) >= batch.MAX_HITS:
                self.flush()

    def flush(self) -> None:
        """Send the queued pages."""
        self._check()
        queued, self._queued = self._queued, []
        self._send(queued)

    def _send(self, pages: Sequence[tuple[int, Hit]]) -> None:
        pages = [page for page in pages if page[0] > self._taken]
        if not pages:
            return
        payload = batch.encode([hit for _, hit in pages])
        if len(payload) > CHUNK_BYTES and len(pages) > 1:
            half = len(pages) // 2
            self._send(pages[:half])
            self._send(pages[half:])
            return
        upto = pages[-1][0]
        taken = self._client.append(self._digest, self._taken, upto, payload)
        self._taken = max(upto, taken)
        self.sent += len(pages)
