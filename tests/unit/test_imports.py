"""Lines of access logs as hits: days, visits, visitors, and what is left out."""

import gzip
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

from services.access_log.client import ImportClient, UnfinishedError, UploadOptions, UploadState
from services.access_log.file import LogFile, examine, examine_parts
from services.access_log.hits import HitReader, LeftOut
from services.access_log.line import LogLine
from services.access_log.page_filter import NotAPage
from services.access_log.parser import AccessLogError
from services.access_log.parts import Imported
from services.access_log.upload import Chunks, examine_all, import_all
from services.access_log.visits import LogVisits
from services.enrich.bots import Bots
from services.enrich.country import Countries
from services.log import batch
from services.model.calendar import to_day
from services.model.downloads import downloads_of
from services.model.hit import OTHER_PATH, Hit, Visit
from services.model.site import Site
from tests.unit.enrich import mmdb

MINUTE = 60_000
AT = int(datetime(2024, 3, 1, 16, 59, tzinfo=UTC).timestamp() * 1000)
SITE = Site(slug="mytho", hosts=("mytho.example",), significant=("tabid",))
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
LOG_LINE = '192.0.2.1 - - [01/Mar/2024:10:00:{:02} +0700] "GET / HTTP/1.1" 200 1 "-" "Firefox"\n'


def a_line(target: str = "/", at: int = AT, address: str = "192.0.2.1", **more: str) -> LogLine:
    given = {"referrer": "", "user_agent": FIREFOX, **more}
    return LogLine("GET", target, 200, given["referrer"], given["user_agent"], address, at)


def reader(**more: int) -> HitReader:
    return HitReader(
        SITE,
        "mytho.example",
        countries=Countries(None),
        bots=Bots(),
        max_paths=more.get("max_paths", 100),
        now=more.get("now", AT + 10**10),
        until=more.get("until", 0),
    )


def hit(found: object) -> Hit:
    assert isinstance(found, Hit)
    return found


def test_a_line_has_the_country_and_the_province_of_its_address(tmp_path: Path) -> None:
    file = tmp_path / "cities.mmdb"
    record: mmdb.Value = {"country": {"iso_code": "VN"}, "subdivisions": [{"iso_code": "45"}]}
    mmdb.write(file, {"192.0.2.0/24": record})
    places = Countries(file)
    read = HitReader(
        SITE, "mytho.example", countries=places, bots=Bots(), max_paths=9, now=AT + 10**10
    ).read
    found = [hit(read(a_line(address=of), "salt")) for of in ("192.0.2.1", "198.51.100.1")]
    assert [(one.country, one.region) for one in found] == [("VN", "VN-45"), ("", "")]
    places.close()


def test_a_line_becomes_the_hit_that_ingest_would_have_written() -> None:
    line = a_line("/Default.aspx?x=1&tabid=7#a", referrer="https://www.google.com/q")
    found = hit(reader().read(line, "salt"))
    assert (found.path, found.host, found.source) == ("/?tabid=7", "mytho.example", "google.com")
    assert (found.device, found.browser, found.os) == ("desktop", "Firefox", "Linux")
    assert (found.visit, found.bot) == (Visit.STARTS, False)


def test_capitals_make_no_other_page_where_the_site_folds_case() -> None:
    site = msgspec.structs.replace(SITE, fold_case=True)
    reads = HitReader(
        site, "mytho.example", countries=Countries(None), bots=Bots(), max_paths=9, now=AT + 1
    )
    paths = [hit(reads.read(a_line(f"/{name}?TabId=A7"), "s")).path for name in ("Tin", "tin")]
    assert paths == ["/tin?tabid=A7"] * 2


def test_a_document_is_a_download_apart_from_the_views() -> None:
    reads = HitReader(
        msgspec.structs.replace(SITE, excluded_pages=("/noi-bo/**",)),
        "mytho.example",
        countries=Countries(None),
        bots=Bots(),
        max_paths=9,
        now=AT + 1,
    )
    found = hit(reads.read(a_line("/van-ban/qd-12.pdf?v=1"), "s"))
    assert (found.site, found.path) == (downloads_of("mytho"), "/van-ban/qd-12.pdf")
    assert (found.visitor, found.visit) == (0, Visit.CONTINUES)
    # It is no part of a visit: the next view starts one.
    assert hit(reads.read(a_line("/"), "s")).visit is Visit.STARTS
    part = msgspec.structs.replace(a_line("/van-ban/qd-12.pdf"), status=206)
    assert reads.read(part, "s") is NotAPage.DOWNLOAD
    assert reads.read(a_line("/LinkClick.aspx?fileticket=a"), "s") is NotAPage.DOWNLOAD
    assert reads.read(a_line("/anh.jpg"), "s") is NotAPage.FILE
    for path in ("/noi-bo/a", "/noi-bo/a.pdf"):
        assert reads.read(a_line(path), "s") is LeftOut.EXCLUDED


def test_the_day_is_the_sites_own_and_a_visit_ends_at_its_midnight() -> None:
    reads = reader()
    before, after = (hit(reads.read(a_line(at=AT + minute * MINUTE), "s")) for minute in (0, 2))
    assert before.day == to_day(datetime(2024, 3, 1, tzinfo=UTC).date())
    assert after.day == before.day + 1
    assert (before.visit, after.visit) == (Visit.STARTS, Visit.STARTS)
    assert before.visitor != after.visitor


def test_visitors_of_two_salts_have_nothing_in_common() -> None:
    one, two = (hit(reader().read(a_line(), salt)) for salt in ("one", "two"))
    assert one.visitor != two.visitor
    assert one.visitor == hit(reader().read(a_line("/b"), "one")).visitor


def test_an_ipv6_reader_is_one_visitor_and_one_visit_for_its_64_bits() -> None:
    reads = reader()
    one, two, other = (
        hit(reads.read(a_line(address=address), "s"))
        for address in ("2001:db8::1", "2001:DB8::a:b:c:d", "2001:db8:0:1::1")
    )
    assert one.visitor == two.visitor != other.visitor
    assert (one.visit, two.visit, other.visit) == (Visit.STARTS, Visit.CONTINUES, Visit.STARTS)


def test_on_a_site_of_views_only_a_line_is_a_view_of_nobody() -> None:
    site = msgspec.structs.replace(SITE, views_only=True)
    reads = HitReader(
        site, "mytho.example", countries=Countries(None), bots=Bots(), max_paths=9, now=AT
    )
    found = hit(reads.read(a_line(), "salt"))
    assert (found.visitor, found.visit) == (0, Visit.CONTINUES)


def test_what_does_not_count_is_named() -> None:
    reads = reader(until=AT + MINUTE, now=AT + 2 * MINUTE)
    assert reads.read(a_line(user_agent="Googlebot/2.1"), "") is LeftOut.BOT
    assert reads.read(a_line(user_agent=""), "") is LeftOut.BOT
    assert reads.read(a_line(at=AT + MINUTE), "") is LeftOut.LATER
    assert reads.read(a_line(at=AT + 3 * MINUTE), "") is LeftOut.TIME
    assert reads.read(a_line(at=-1), "") is LeftOut.TIME
    assert not isinstance(reads.read(a_line("/a.png"), ""), Hit)
    assert isinstance(reads.read(a_line(at=AT + MINUTE - 1), ""), Hit)


def test_paths_over_the_days_limit_are_other() -> None:
    reads = reader(max_paths=2)
    hits = [hit(reads.read(a_line(target), "")) for target in ("/a", "/b", "/c", "/a")]
    assert [read.path for read in hits] == ["/a", "/b", OTHER_PATH, "/a"]
    assert [read.own_path for read in hits] == ["", "", "/c", ""]


def test_visits_are_those_of_one_memory_for_all_visitors(record_seed: Callable[[], int]) -> None:
    chance = random.Random(record_seed())
    visits = LogVisits()
    last: dict[str, int] = {}
    at = AT
    for _ in range(5000):
        at += int(chance.expovariate(1 / (3 * MINUTE)))
        late = max(0, at - chance.randrange(MINUTE))
        name = f"192.0.2.{chance.randrange(12)}"
        seen = last.get(name)
        expected = seen is None or abs(late - seen) >= 30 * MINUTE
        last[name] = late if seen is None else max(seen, late)
        found = visits.decide((0, name, ""), late)
        assert (found is Visit.STARTS) == expected
    assert len(visits._young) + len(visits._old) <= 24
    assert visits.unsorted == 0


def test_a_line_long_before_others_is_noticed() -> None:
    visits = LogVisits()
    for at in (AT, AT - 59_000, AT - 61_000):
        visits.decide((0, "", ""), at)
    assert visits.unsorted == 1


def test_a_file_is_its_content_packed_or_not(tmp_path: Path) -> None:
    text = "".join(LOG_LINE.format(second) for second in (30, 10, 59)).encode()
    (tmp_path / "plain").write_bytes(text)
    (tmp_path / "packed.gz").write_bytes(gzip.compress(text))
    plain, packed = examine(tmp_path / "plain"), examine(tmp_path / "packed.gz")
    assert (plain.digest, plain.lines) == (packed.digest, packed.lines)
    assert (plain.lines, plain.last_at - plain.first_at) == (3, 49_000)
    (tmp_path / "cut").write_bytes(text.rstrip(b"\n"))
    assert examine(tmp_path / "cut").lines == 3


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_that_grew_is_what_was_imported_and_the_rest(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "log"
    known: dict[str, Imported] = {}
    parts = []
    for lines in (3, 10, 59):
        text = "".join(LOG_LINE.format(second) for second in range(lines)).encode()
        path.write_bytes(pack(text))
        parts = examine_parts(path, known=known)
        assert len(parts) == len(known) + 1
        assert parts[-1].digest == examine(path).digest
        known[parts[-1].digest] = Imported(parts[-1].lines, parts[-1].first_at)
    assert [part.digest for part in parts] == list(known)
    assert [(part.after, part.lines) for part in parts] == [(0, 3), (3, 10), (10, 59)]
    firsts = [part.first_at - parts[0].first_at for part in parts]
    assert firsts == [0, 3000, 10_000]
    assert parts[1].last_at - parts[0].first_at == 9000
    # As many lines, and others
    path.write_bytes(pack(LOG_LINE.format(59).encode() * 70))
    assert len(examine_parts(path, known=known)) == 1
    # Nothing new: the same import
    path.write_bytes(pack(text))
    assert [part.digest for part in examine_parts(path, known=known)] == list(known)


def imported_up_to(path: Path, text: bytes, *ends: int) -> dict[str, Imported]:
    """Write a growing log, and return what its imports would be after each of these lines."""
    known: dict[str, Imported] = {}
    for lines in ends:
        path.write_bytes(b"".join(text.splitlines(keepends=True)[:lines]))
        part = examine_parts(path, known=known)[-1]
        known[part.digest] = Imported(part.lines, part.first_at)
    return known


@pytest.mark.parametrize(
    ("undone", "expected"),
    [
        ((0,), [(0, 100), (100, 150), (150, 170), (170, 200)]),
        ((1,), [(0, 100), (100, 150), (150, 170), (170, 200)]),
        ((0, 1), [(0, 150), (150, 170), (170, 200)]),
        ((1, 2), [(0, 100), (100, 200)]),
        ((0, 1, 2), [(0, 200)]),
    ],
)
def test_lines_of_a_grown_file_whose_import_was_undone_can_be_imported_again(
    tmp_path: Path, undone: tuple[int, ...], expected: list[tuple[int, int]]
) -> None:
    path = tmp_path / "log"
    known = imported_up_to(path, a_log(range(200)), 100, 150, 170)
    for number in undone:
        digest = list(known)[number]
        known[digest] = known[digest]._replace(undone=True)
    path.write_bytes(a_log(range(200)))
    parts = examine_parts(path, known=known)
    assert [(part.after, part.lines) for part in parts] == expected
    first = examine(path).first_at
    assert [part.first_at for part in parts] == [first + 1000 * after for after, _ in expected]
    assert [part.last_at for part in parts] == [first + 1000 * end - 1000 for _, end in expected]


def test_a_file_imported_as_a_whole_after_its_beginning_was_undone_is_imported(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log"
    ((digest, begun),) = imported_up_to(path, a_log(range(150)), 100).items()
    (whole,) = imported_up_to(path, a_log(range(150)), 150).items()
    known = dict([(digest, begun._replace(undone=True)), whole])
    (part,) = examine_parts(path, known=known)
    assert (part.digest, part.after, part.lines) == (whole[0], 0, 150)


def test_where_times_do_not_tell_what_an_import_counted_nothing_is_guessed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    text = LOG_LINE.format(1).encode()
    known = imported_up_to(path, text * 100 + text * 50, 100, 150)
    first, second = known
    known[first] = known[first]._replace(undone=True)
    with pytest.raises(AccessLogError, match=rf"undone.*{second[:12]}.*undo that one as well"):
        examine_parts(path, known=known)
    known[second] = known[second]._replace(undone=True)
    (part,) = examine_parts(path, known=known)
    assert (part.after, part.lines) == (0, 150)


@pytest.mark.parametrize(
    "content",
    [b"", b"no log\n", b"\x1f\x8bdamaged", gzip.compress(b"x")[:9]],
    ids=["empty", "other", "damaged", "cut"],
)
def test_what_is_no_access_log_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(AccessLogError, match="expected"):
        examine(tmp_path / "file")


class Scripted:
    """Answers requests as told, one after another, and keeps them."""

    url = "http://luot.example"

    def __init__(self, *answers: httpx.Response | httpx.HTTPError) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, object]] = []

    def send(self, method: str, path: str, **more: object) -> httpx.Response:
        self.asked.append(more)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.HTTPError):
            raise answer
        return answer


class Clock:
    """Time passes by sleeping."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def client(api: Scripted, clock: Clock, said: list[str] | None = None) -> ImportClient:
    waits = (lambda _: None) if said is None else said.append
    return ImportClient(api, "mytho", waits=waits, sleep=clock.sleep, monotonic=clock)


def test_a_luot_that_restarts_is_waited_for_and_one_that_is_busy_for_longer() -> None:
    busy = httpx.Response(429, json={"errors": {"log": ["the aggregator is 9 s behind"]}})
    gone, taken = httpx.ConnectError("refused"), httpx.Response(200, json={"taken": 7})
    said: list[str] = []
    clock = Clock()
    api = Scripted(gone, httpx.Response(503, json={}), *[busy] * 2000, taken)
    assert client(api, clock, said).append("d", 0, 7, b"x") == 7
    assert said[0] == "http://luot.example cannot be reached: refused"
    assert (said[-2], said[-1]) == ("log: the aggregator is 9 s behind", "")
    assert clock.now > 300


def test_a_luot_that_stays_away_ends_the_import_with_what_to_do() -> None:
    clock = Clock()
    with pytest.raises(UnfinishedError, match="run the same command again"):
        client(Scripted(httpx.ConnectError("refused")), clock).append("d", 0, 7, b"x")
    assert 120 <= clock.now < 140


def test_a_refusal_ends_the_import_at_once(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG_LINE.format(1))
    refusal = httpx.Response(409, json={"errors": {"digest": ["Redis was emptied"]}})
    clock = Clock()
    with pytest.raises(UnfinishedError, match="answers 409: digest: Redis was emptied"):
        client(Scripted(refusal), clock).begin(examine(tmp_path / "log"), UploadOptions(host="a"))
    assert clock.now == 0


def test_chunks_hold_whole_lines_in_order_and_nothing_that_was_taken() -> None:
    sent: list[tuple[int, int, int, int]] = []

    class Log(ImportClient):
        def append(self, digest: str, after: int, upto: int, payload: bytes) -> int:
            sent.append((after, upto, len(batch.decode(payload)), len(payload)))
            return upto

    log = Log(Scripted(httpx.Response(200)), "mytho")
    chunks = Chunks(log, "d", UploadState(False, 10, 10, "", []))
    reads = reader(max_paths=10_000)
    for number in range(1, 1211):
        long = f"/{number}" + "x" * (490 if 500 < number < 900 else 1)
        chunks.add(number, hit(reads.read(a_line(long), "")))
    chunks.flush()
    assert sum(hits for _, _, hits, _ in sent) == chunks.sent == 1200
    assert sent[0][0] == 10
    assert sent[-1][1] == 1210
    assert [one[1] for one in sent[:-1]] == [one[0] for one in sent[1:]]
    assert max(size for *_, size in sent) < 64 * 1024
    assert max(hits for _, _, hits, _ in sent) <= batch.MAX_HITS


class Recorded(ImportClient):
    """Keeps what is sent; `before` is called with the number of chunks sent so far."""

    def __init__(self, before: Callable[[int], None] = lambda _: None) -> None:
        super().__init__(Scripted(httpx.Response(200)), "mytho")
        self.begun: list[str] = []
        self.sent: list[int] = []
        self._before = before

    def begin(self, file: LogFile, options: UploadOptions) -> UploadState:
        self.begun.append(file.digest)
        return UploadState(False, 0, 0, "s", [])

    def append(self, digest: str, after: int, upto: int, payload: bytes) -> int:
        self._before(len(self.sent))
        self.sent += batch.decode(payload).at
        return upto

    def finish(self, digest: str) -> int:
        return len(self.sent)


def a_log(lines: range) -> bytes:
    """Return lines of one reader, a second after each other."""
    times = (datetime(2024, 3, 1, 3, tzinfo=UTC) + timedelta(seconds=second) for second in lines)
    return "".join(
        f'192.0.2.1 - - [{at:%d/%b/%Y:%H:%M:%S +0000}] "GET / HTTP/1.1" 200 1 "-" "{FIREFOX}"\n'
        for at in times
    ).encode()


def uploaded(client: ImportClient, files: list[LogFile]) -> int:
    """Import files that are new to Luot; return how many pages were sent."""
    states = [UploadState(False, 0, 0, "", [])] * len(files)
    options = UploadOptions(host="mytho.example")
    results = import_all(files, states, client, reader(), options, lambda *_: None)
    return sum(result.sent for result in results)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_log_rotated_after_it_was_examined_is_refused_before_anything_is_sent(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    names = tmp_path / "access.log.1", tmp_path / "access.log.2"
    newer, older = a_log(range(60, 160)), a_log(range(60))
    names[0].write_bytes(pack(newer))
    names[1].write_bytes(pack(older))
    files = examine_all(names, lambda _: None)
    names[0].rename(names[1])
    names[0].write_bytes(pack(a_log(range(160, 300))))
    client = Recorded()
    with pytest.raises(AccessLogError, match=r"access\.log\.2 is not the file .* rotated"):
        uploaded(client, files)
    assert (client.begun, client.sent) == ([], [])


def test_a_log_cut_and_written_anew_after_it_was_examined_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(a_log(range(60)))
    file = examine(path)
    with path.open("r+b") as log:  # The same inode, as logrotate's copytruncate leaves it
        log.truncate()
        log.write(a_log(range(100, 200)))
    client = Recorded()
    with pytest.raises(AccessLogError, match="rotated"):
        uploaded(client, [file])
    assert (client.begun, client.sent) == ([], [])


def test_a_log_that_grew_or_was_only_renamed_is_read_as_it_was_examined(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(a_log(range(60)))
    file = examine(path)
    with path.open("ab") as log:
        log.write(a_log(range(60, 100)))
    assert uploaded(Recorded(), [file]) == 60
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    assert uploaded(Recorded(), [file]) == 60


@pytest.mark.parametrize("anew", [0, 1000, 9000])
def test_a_log_cut_while_it_is_read_stops_the_import(tmp_path: Path, anew: int) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(a_log(range(5000)))
    file = examine(path)

    def cut(chunks: int) -> None:
        if chunks == 0:
            with path.open("r+b") as log:
                log.truncate()
                log.write(a_log(range(5000, 5000 + anew)))

    client = Recorded(cut)
    with pytest.raises(AccessLogError, match=r"changed while it was read.*rotated"):
        uploaded(client, [file])
    if anew < 5000:
        assert client.sent == [file.first_at + 1000 * second for second in range(500)]
