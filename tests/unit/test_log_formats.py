"""The same requests, in every format that is read, are the same pages of the same people."""

import bz2
import gzip
import json
import lzma
import random
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

import pytest
from backports import zstd

from services.access_log.file import FormatOptions, examine
from services.access_log.formats.known import NAMES, named, ready, recognise
from services.access_log.hits import HitReader, LeftOut
from services.access_log.parser import AccessLog, AccessLogError
from services.enrich.bots import Bots
from services.enrich.country import Countries
from services.model.hit import Hit, Visit
from services.model.site import Site

SITE = Site(slug="mytho", hosts=("mytho.example",), significant=("tabid",))
NOW = 1 << 41
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/131.0.0.0 Safari/537.36"
)
HANOI = timezone(timedelta(hours=7))
REQUESTS = 10_000


class Request(NamedTuple):
    at: datetime
    address: str
    target: str
    status: int
    referrer: str
    agent: str

    @property
    def local(self) -> str:
        return f"{self.at.astimezone(HANOI):%d/%b/%Y:%H:%M:%S %z}"

    @property
    def line(self) -> str:
        return f'"GET {self.target} HTTP/1.1" {self.status} 512'

    @property
    def tail(self) -> str:
        return f'"{self.referrer or "-"}" "{self.agent}"'


def requests(chance: random.Random, count: int = REQUESTS) -> list[Request]:
    """Return requests over some days; of each address one browser, for logs without one."""
    at = datetime(2025, 2, 27, 15, tzinfo=UTC)
    made = []
    for _ in range(count):
        at += timedelta(seconds=chance.randrange(60))
        page = chance.choice(["/", "/tin-tuc", "/Default.aspx?tabid=", "/a.css", "/v.pdf", "/x"])
        target = f"{page}{chance.randrange(30)}" if page[-1] in "=cx" else page
        number = chance.randrange(200)
        made.append(
            Request(
                at,
                f"203.0.113.{number}",
                target,
                chance.choice([200, 200, 200, 304, 404]),
                chance.choice(["", "https://www.google.com/", "https://mytho.example/"]),
                CHROME.replace("131", str(100 + number % 30)),
            )
        )
    return made


def iis(made: Iterable[Request]) -> list[str]:
    lines = ["#Software: Microsoft Internet Information Services 10.0", "#Version: 1.0"]
    names = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip"
    lines.append(f"#Fields: {names} cs(User-Agent) cs(Referer) sc-status time-taken")
    for one in made:
        stem, _, query = one.target.partition("?")
        lines.append(
            f"{one.at:%Y-%m-%d %H:%M:%S} 10.0.0.5 GET {stem} {query or '-'} 443 - {one.address}"
            f" {one.agent.replace(' ', '+')} {one.referrer or '-'} {one.status} 31"
        )
    return lines


def caddy(made: Iterable[Request]) -> list[str]:
    return [
        json.dumps(
            {
                "level": "info",
                "ts": one.at.timestamp() + 0.25,
                "logger": "http.log.access.log0",
                "msg": "handled request",
                "request": {
                    "remote_ip": "10.0.0.1",
                    "client_ip": one.address,
                    "method": "GET",
                    "host": "mytho.example",
                    "uri": one.target,
                    "headers": {"User-Agent": [one.agent], "Referer": [one.referrer]},
                },
                "status": one.status,
            }
        )
        for one in made
    ]


def traefik(made: Iterable[Request]) -> list[str]:
    return [
        json.dumps(
            {
                "ClientAddr": f"{one.address}:52000",
                "ClientHost": one.address,
                "DownstreamStatus": one.status,
                "RequestHost": "mytho.example",
                "RequestMethod": "GET",
                "RequestPath": one.target,
                "StartUTC": f"{one.at:%Y-%m-%dT%H:%M:%S}.123456789Z",
                "request_User-Agent": one.agent,
                "request_Referer": one.referrer,
                "time": f"{one.at:%Y-%m-%dT%H:%M:%SZ}",
            }
        )
        for one in made
    ]


def nginx_json(made: Iterable[Request]) -> list[str]:
    return [
        json.dumps(
            {
                "time_iso8601": one.at.astimezone(HANOI).isoformat(),
                "remote_addr": "10.0.0.1",
                "request": f"GET {one.target} HTTP/2.0",
                "status": str(one.status),
                "http_referer": one.referrer or "-",
                "http_user_agent": one.agent,
                "http_x_forwarded_for": one.address,
                "host": "mytho.example",
                "request_time": "0.005",
                "upstream_status": "200",
            }
        )
        for one in made
    ]


def text(begin: str, end: str, tail: bool = True) -> Callable[[Iterable[Request]], list[str]]:
    def written(made: Iterable[Request]) -> list[str]:
        return [
            f"{begin.format(one=one)}[{one.local}] {one.line}"
            f"{' ' + one.tail if tail else ''}{end.format(one=one)}"
            for one in made
        ]

    return written


WRITERS: dict[str, Callable[[Iterable[Request]], list[str]]] = {
    "combined": text("{one.address} - - ", ""),
    "common": text("{one.address} - - ", "", tail=False),
    "vhost-combined": text("mytho.example:443 {one.address} - - ", ""),
    "vhost-common": text("mytho.example {one.address} - - ", "", tail=False),
    "nginx-main": text("10.0.0.1 - - ", ' "{one.address}"'),
    "combinedio": text("{one.address} - an ", " 733 5120"),
    "traefik-common": text("{one.address} - - ", ' 12 "web@file" "http://10.0.0.9" 5ms'),
    "iis": iis,
    "caddy": caddy,
    "traefik": traefik,
    "nginx-json": nginx_json,
}


def count(path: Path, options: FormatOptions | None = None) -> tuple[str, Counter[object]]:
    """Return the format of a log, and views, visits and visitors of it as they would count."""
    file = examine(path, options, SITE)
    reader = HitReader(
        SITE, "mytho.example", countries=Countries(None), bots=Bots(), max_paths=1000, now=NOW
    )
    numbers: Counter[object] = Counter()
    visitors = set()
    with AccessLog(path, file.opened) as log:
        for line in log:
            found = reader.read(line, "salt")
            if isinstance(found, Hit):
                numbers[found.day, found.path] += 1
                numbers["visits", found.day] += found.visit is Visit.STARTS
                visitors.add((found.day, line.address))
            else:
                numbers[found] += 1
    numbers["visitors"] = len(visitors)
    return file.format, numbers


def test_ten_thousand_requests_are_the_same_numbers_in_every_format(
    tmp_path: Path, record_seed: Callable[[], int]
) -> None:
    made = requests(random.Random(record_seed()))
    found = {}
    assert set(WRITERS) == set(NAMES)
    for name, write in WRITERS.items():
        path = tmp_path / name
        path.write_text("\n".join(write(made)) + "\n")
        recognised, found[name] = count(path)
        assert recognised == name
    expected = found["combined"]
    assert sum(views for key, views in expected.items() if isinstance(key, tuple)) > REQUESTS / 2
    assert [name for name, numbers in found.items() if numbers != expected] == []


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_a_packed_log_is_what_is_in_it(
    tmp_path: Path, pack: Callable[[bytes], bytes], record_seed: Callable[[], int]
) -> None:
    made = requests(random.Random(record_seed()), 300)
    written = ("\n".join(iis(made)) + "\n").encode()
    (tmp_path / "plain").write_bytes(written)
    # Appended to each other, as logrotate and cat leave them
    (tmp_path / "packed").write_bytes(pack(written[:5000]) + pack(written[5000:]))
    assert count(tmp_path / "packed") == count(tmp_path / "plain")
    assert examine(tmp_path / "packed").digest == examine(tmp_path / "plain").digest
    (tmp_path / "cut").write_bytes(pack(written)[:-20])
    with pytest.raises(AccessLogError, match="expected an access log"):
        examine(tmp_path / "cut")


def one(name: str, address: str = "203.0.113.10") -> str:
    made = requests(random.Random(1), 1)[0]._replace(status=200, target="/tin", address=address)
    return WRITERS[name]([made])[-1]


def test_lines_of_other_hosts_are_left_out_and_said(tmp_path: Path) -> None:
    line = one("vhost-combined")
    other = line.replace("mytho.example", "other.example")
    (tmp_path / "log").write_text(f"{line}\n{other}\n{other}\n")
    _, numbers = count(tmp_path / "log")
    assert numbers[LeftOut.HOST] == 2
    assert examine(tmp_path / "log").hosts == {"other.example": 2, "mytho.example": 1}
    (tmp_path / "log").write_text(f"{other}\n")
    (warning,) = examine(tmp_path / "log", None, SITE).warnings
    assert "none of its hosts (other.example) is one of mytho" in warning


@pytest.mark.parametrize(
    ("forwarded", "reader"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 10.2.0.1", "203.0.113.7"),
        ("192.168.1.7", "192.168.1.7"),
        ("-", "10.0.0.1"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("203.0.113.7:51234", "203.0.113.7"),
        ("203.0.113.7, proxy.local", "203.0.113.7"),
        ("fe80::1%eth0, 203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("203.0.113.7,  10.2.0.1", "203.0.113.7"),
        ("203.0.113.7,", "203.0.113.7"),
        ("203.0.113.7, ::ffff:10.0.0.5", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unknown", "10.0.0.1"),
        ("unknown, unknown", "10.0.0.1"),
        (r"${jndi:ldap\x22}", "10.0.0.1"),
    ],
)
def test_the_reader_is_whom_the_last_proxy_names(forwarded: str, reader: str) -> None:
    line = named("nginx-main").read(one("nginx-main", address=forwarded).encode())
    assert line is not None
    assert line.address == reader
    connected = named("nginx-main", "connection").read(one("nginx-main").encode())
    assert connected is not None
    assert connected.address == "10.0.0.1"


IIS_BEHIND_A_PROXY = [
    "#Fields: date time c-ip cs-method cs-uri-stem sc-status X-Forwarded-For",
    "2025-03-01 17:00:00 10.0.0.1 GET /tin 200 {one.address}",
]


@pytest.mark.parametrize("name", ["nginx-main", "iis", "nginx-json"])
@pytest.mark.parametrize("field", [None, "X-Forwarded-For"])
@pytest.mark.parametrize("forwarded", ["unknown", "unknown,", "unknown,Unknown"])
def test_a_proxy_that_knows_no_reader_leaves_that_of_the_connection(
    name: str, field: str | None, forwarded: str
) -> None:
    made = requests(random.Random(1), 1)[0]._replace(address=forwarded)
    behind = [line.format(one=made) for line in IIS_BEHIND_A_PROXY]
    lines = [line.encode() for line in (behind if name == "iis" else WRITERS[name]([made]))]
    line = ready(name, field, lines).read(lines[-1])
    assert line is not None
    assert line.address == "10.0.0.1"


def test_readers_are_counted_by_the_address_that_tells_them_apart(tmp_path: Path) -> None:
    made = requests(random.Random(1), 300)
    forged = [
        one._replace(address=f"198.51.100.{number % 250}, 203.0.113.9, 10.0.0.{number % 7}")
        for number, one in enumerate(made)
    ]
    (tmp_path / "log").write_text("".join(f"{line}\n" for line in WRITERS["nginx-main"](forged)))
    file = examine(tmp_path / "log", None, SITE)
    assert file.addresses == 1
    (warning,) = file.warnings
    assert "300 of 300 lines have one address, 203.0.113.9 (field x_forwarded_for)" in warning
    unknown = [one._replace(address="unknown") for one in made]
    (tmp_path / "log").write_text("".join(f"{line}\n" for line in WRITERS["nginx-main"](unknown)))
    (warning,) = examine(tmp_path / "log", None, SITE).warnings
    assert "300 of 300 lines have one address, 10.0.0.1" in warning


def test_a_field_that_was_named_may_hold_names_of_readers() -> None:
    line = named("nginx-main", "X-Forwarded-For").read(one("nginx-main", address="a1b2").encode())
    assert line is not None
    assert line.address == "a1b2"


def test_a_layout_of_ones_own_names_the_field_of_the_reader(tmp_path: Path) -> None:
    layout = (
        '$remote_addr $host [$time_local] "$request" $status "$http_user_agent" $http_x_real_ip'
    )
    line = f'10.0.0.1 mytho.example [01/Mar/2025:08:00:00 +0700] "GET /a HTTP/1.1" 200 "{CHROME}" '
    (tmp_path / "log").write_text("".join(f"{line}203.0.113.{end}\n" for end in range(20)))
    with pytest.raises(AccessLogError, match="in no format that is known"):
        examine(tmp_path / "log")
    for address in ("X-Real-IP", "last", "http_x_real_ip"):
        file = examine(tmp_path / "log", FormatOptions(name=layout, address=address), SITE)
        assert (file.addresses, file.address, file.warnings) == (20, "x_real_ip", [])
    (warning,) = examine(tmp_path / "log", FormatOptions(name=layout), SITE).warnings
    assert "20 of 20 lines have one address, 10.0.0.1" in warning
    with pytest.raises(AccessLogError, match="it has remote_addr, host, time_local, request"):
        examine(tmp_path / "log", FormatOptions(name=layout, address="X-Nobody"))
    with pytest.raises(AccessLogError, match="lacks the time, the status or the request"):
        examine(tmp_path / "log", FormatOptions(name="apache"))


WHEN = "[01/Mar/2025:08:00:00 +0700]"
NGINX = "$remote_addr [$time_local]"


@pytest.mark.parametrize(
    ("layout", "line", "target"),
    [
        ('%h %t "%m %U%q %H" %>s', '192.0.2.1 WHEN "GET /tin HTTP/1.1" 200', "/tin"),
        ('%h %t "%m %U%q %H" %>s', '192.0.2.1 WHEN "GET /%20?x=% HTTP/1.1" 200', "/%20?x=%"),
        ("%h %t %>s %m %U%q", "192.0.2.1 WHEN 200 GET /tin-?x=1-", "/tin-?x=1-"),
        ("%h %t %>s %m %U%q", "192.0.2.1 WHEN 200 GET /tin-", "/tin-"),
        (f"{NGINX} $status $uri$is_args$args", "192.0.2.1 WHEN 200 /tin?x=$1", "/tin?x=$1"),
        (f"{NGINX} $status $uri$is_args$args", "192.0.2.1 WHEN 200 /tin-", "/tin"),
        (f'{NGINX} "$uri$is_args$args" $status', '192.0.2.1 WHEN "/a b--" 200', "/a b-"),
        (f"{NGINX} $status $host$request_uri", "192.0.2.1 WHEN 200 mytho.example/a?b=/", "/a?b=/"),
        ('%v:%p %h %t "%r" %>s', 'mytho.example:80 192.0.2.1 WHEN "GET /tin HTTP/1.1" 200', "/tin"),
        ("$remote_addr|$status|[$time_local]|$uri", "192.0.2.1|200|WHEN|/tin", "/tin"),
        ("$remote_addr:$remote_port|$status|[$time_local]|$uri", "192.0.2.1:5|200|WHEN|/", "/"),
    ],
)
def test_fields_with_nothing_or_no_space_between_them_are_told_apart(
    layout: str, line: str, target: str
) -> None:
    raw = line.replace("WHEN", WHEN).encode()
    found = named(layout).read(raw)
    assert found is not None
    assert (found.target, found.address, found.status) == (target, "192.0.2.1", 200)
    assert found.host in (None, "mytho.example")
    assert named(layout).glance(raw) is not None


def test_an_ipv6_address_ends_before_the_last_colon_of_a_layout() -> None:
    layout = "$remote_addr:$remote_port [$time_local] $status $request_uri"
    found = named(layout).read(f"2001:db8::7:443 {WHEN} 200 /tin".encode())
    assert found is not None
    assert (found.address, found.target) == ("2001:db8::7", "/tin")


def test_a_format_that_only_looks_like_a_known_one_is_not_recognised() -> None:
    for more in (' rt=0.1 up="-"', ' "203.0.113.1" rt=0.1', ' "mytho.vn"', " 0.005 mytho.example"):
        assert recognise([f"{one('combined')}{more}".encode()] * 3) is None
    assert recognise([f'{one("combined")} "unknown, 10.0.0.1"'.encode()]) == "nginx-main"
    assert recognise([one("common").rpartition(" ")[0].encode() + b" -"]) == "common"


def test_more_than_a_twentieth_of_unreadable_lines_stops_it_unless_told(tmp_path: Path) -> None:
    good = one("combined") + "\n"
    (tmp_path / "log").write_text(good * 95 + "what is this\n" * 5)
    assert examine(tmp_path / "log").unreadable == 5
    (tmp_path / "log").write_text(good * 94 + "what is this\n" * 6)
    with pytest.raises(AccessLogError, match="6 of 100 lines cannot be read as 'combined'"):
        examine(tmp_path / "log")
    assert examine(tmp_path / "log", FormatOptions(unreadable=True)).unreadable == 6


def test_iis_names_its_fields_again_when_it_starts_again(tmp_path: Path) -> None:
    first = iis(requests(random.Random(1), 1))
    again = [
        "#Date: 2025-03-01 00:00:00",
        "#Fields: time c-ip cs-method cs-uri-stem sc-status X-Forwarded-For cs-host",
        "17:00:00 10.0.0.1 GET /tin 200 203.0.113.9,+10.0.0.2 mytho.example",
    ]
    (tmp_path / "log").write_bytes(
        b"\xef\xbb\xbf" + "\r\n".join([*first, *again]).encode() + b"\r\n"
    )
    with AccessLog(tmp_path / "log", examine(tmp_path / "log").opened) as log:
        lines = list(log)
    assert (log.lines, log.broken) == (2, 0)
    assert (lines[1].address, lines[1].host) == ("203.0.113.9", "mytho.example")
    assert lines[1].at == int(datetime(2025, 3, 1, 17, tzinfo=UTC).timestamp() * 1000)
    assert (lines[0].agent_logged, lines[1].agent_logged) == (True, False)


def test_what_caddy_says_of_itself_is_no_line_of_a_request(tmp_path: Path) -> None:
    notes = [
        '{"level":"info","ts":1740787200.1,"logger":"admin","msg":"admin endpoint started"}',
        '{"level":"error","ts":1740787200.1,"logger":"http.log.error","msg":"x","request":{}}',
    ]
    (tmp_path / "log").write_text("\n".join([notes[0], one("caddy"), notes[1]]) + "\n")
    file = examine(tmp_path / "log")
    assert (file.format, file.requests, file.unreadable) == ("caddy", 1, 0)


def test_traefik_without_headers_has_no_agents(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in traefik(requests(random.Random(1), 20))]
    kept = [{key: line[key] for key in line if not key.startswith("request_")} for line in lines]
    (tmp_path / "log").write_text("".join(json.dumps(line) + "\n" for line in kept))
    (warning,) = examine(tmp_path / "log", None, SITE).warnings
    assert "20 lines have no User-Agent" in warning


@pytest.mark.parametrize("name", NAMES)
def test_whatever_stands_in_a_line_it_is_read_or_not(
    name: str, record_seed: Callable[[], int]
) -> None:
    chance = random.Random(record_seed())
    good = "\n".join(WRITERS[name](requests(chance, 1))).encode()
    for _ in range(500):
        bad = bytearray(good)
        for _ in range(chance.randrange(1, 5)):
            place = chance.randrange(len(bad) + 1)
            bad[place : place + chance.randrange(9)] = chance.randbytes(chance.randrange(9))
        lines = bytes(bad).split(b"\n")
        recognise(lines)
        for kind in NAMES:
            found = named(kind)
            for line in lines:
                if not found.is_note(line):
                    found.read(line)
                    found.glance(line)
