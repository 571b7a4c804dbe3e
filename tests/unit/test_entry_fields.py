"""The two forms of an entry in a stream of Redis."""

import zlib
from random import Random

import pytest

from services.log import batch
from services.log.entries import LogEntry
from services.log.redis import entry_fields
from services.log.redis.entry_fields import DEFLATED_HITS, Fields
from services.model.hit import Hit, Visit

PRODUCER = "00c0ffee00c0ffee"
AT = 1_700_000_000_000
WRITTEN = (
    "96030101c40800c0ffee00c0ffeece00011170c44a83b2bbcf3fcd609cb934b71218b2fbe181960d8ead"
    "12489c2596ea1a82c36c2b58955e0a300a805205d040434a44789d6e620a73b4cf1da0a3b6477829a56e"
    "fc0ae4a33b172a03733400"
)
"""The field of a lone hit, as the first version with short entries wrote it."""


def hit(number: int = 7) -> Hit:
    """Return a hit as ingest makes it of a reader in Vietnam."""
    return Hit(
        site="mytho",
        path=f"/tin-tuc/khanh-thanh-cau-{number}.html",
        at=AT + number,
        day=19_676,
        visitor=Random(number).getrandbits(64),
        visit=Visit.UNDECIDED,
        host="mytho.dongthap.gov.vn",
        source="google.com",
        device="mobile",
        browser="Chrome",
        os="Android",
        country="VN",
        view_id=Random(-number).getrandbits(64),
        region="VN-45",
    )


def entry(hits: int = 1, producer: str = PRODUCER, sequence: int = 70_000) -> LogEntry:
    payload = batch.encode([hit(number) for number in range(1, hits + 1)])
    return LogEntry(3, producer, sequence, hits, payload)


def stored(fields: Fields) -> dict[bytes, bytes]:
    """Return fields as Redis gives them back."""
    parts = [part if isinstance(part, bytes) else str(part).encode() for part in fields]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("hits", [1, 2, DEFLATED_HITS, DEFLATED_HITS + 1, batch.MAX_HITS])
@pytest.mark.parametrize("producer", [PRODUCER, "p", "abc", "import:mytho:ff", "đồng"])
def test_both_forms_say_the_same(hits: int, producer: str) -> None:
    for sequence in (1, 2**31, 2**53):
        given = entry(hits, producer, sequence)
        long = entry_fields.read(stored(entry_fields.long_form(given)))
        assert entry_fields.read(stored(entry_fields.short_form(given))) == long
        assert long == (
            {
                "v": b"1",
                "n": b"%d" % hits,
                "p": producer.encode(),
                "s": b"%d" % sequence,
            },
            given.payload,
        )


def test_a_lone_hit_takes_half_of_the_bytes() -> None:
    given = entry()
    (_, field) = entry_fields.short_form(given)
    assert isinstance(field, bytes)
    assert len(field) < 0.6 * (len(given.payload) + len(PRODUCER) + 7)


def test_whatever_its_size_a_payload_comes_back_as_it_was() -> None:
    for payload in (b"", Random(1).randbytes(300), b"a" * (1 << 16), b"a" * ((1 << 16) + 1)):
        given = LogEntry(0, PRODUCER, 1, 1, payload)
        assert entry_fields.read(stored(entry_fields.short_form(given)))[1] == payload


def test_what_is_in_a_log_can_be_read_for_good() -> None:
    headers, payload = entry_fields.read({b"e": bytes.fromhex(WRITTEN)})
    assert headers == {"v": b"1", "n": b"1", "p": PRODUCER.encode(), "s": b"70000"}
    assert list(batch.decode(payload).hits()) == [hit(1)]


@pytest.mark.parametrize(
    "change",
    [
        lambda field: b"",
        lambda field: field[:-1],
        lambda field: b"\x96\x04" + field[2:],
        lambda field: b"\x96\xff" + field[2:],
        lambda field: b"\xc1" * 40,
    ],
)
def test_a_damaged_entry_is_kept_as_it_is_and_has_no_headers_of_an_entry(change: object) -> None:
    (_, field) = entry_fields.short_form(entry())
    assert callable(change)
    damaged = change(field)
    assert entry_fields.read({b"e": damaged}) == ({"e": damaged}, b"")


def test_a_deflated_entry_cannot_grow_without_end() -> None:
    shorter = zlib.compressobj(9, zlib.DEFLATED, -12)
    bomb = shorter.compress(bytes(64 << 20)) + shorter.flush()
    short = entry_fields._Short(1, 1, 1, b"p", 1, bomb)
    field = entry_fields._encode(short)
    assert entry_fields.read({b"e": field}) == ({"e": field}, b"")
