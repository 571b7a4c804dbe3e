"""The fields of an entry in a stream, in two forms.

    long   v, n, p, s and b: version, hits, producer, sequence and payload
    short  e: all of them in one, and the payload of a few hits deflated

Streams store names once per node of some 4 KiB, but each field takes two bytes besides its value.
A lone hit is mostly strings common to all hits (Chrome, Windows, desktop): a shared dictionary
halves it. Both forms are read; short_form.py decides when the short one is written.
"""

import re
import zlib
from collections.abc import Mapping

import msgspec

from services.log.entries import LogEntry

Fields = tuple[str | int | bytes, ...]

DEFLATED_HITS = 4
"""Up to so many hits are deflated. With more, ingest is busy, and strings are shared already."""
_PAYLOAD, _SHORT = b"b", b"e"
_LONGEST = 1 << 16
"""Size limit of an inflated batch; so few hits stay below it."""

_WINDOW = -12
"""Raw deflate, 4 KiB window: dictionary and batch fit. A larger one costs more to clear."""
_MEMORY = 5
_LEVEL = 6
# Never changed, or existing entries could not be read. The most frequent strings are last, in
# msgpack's form: 0xa7 begins a string of seven bytes, 0x91 a column of one hit.
_DICTIONARY = (
    b"utm_newsletter\xa5email\xa3cpc\xa7organic\xa6social\xa6banner\xa8referral"
    b"Google\xa4Zalo\xa8Facebook\xa9Messenger\xa6TikTok\xaaDuckDuckGo\xb1Internet Explorer"
    b"\xafAndroid Browser\xaaUC Browser\xaaMi Browser\xa5Opera\xb0Samsung Internet"
    b"\xabC\xe1\xbb\x91c C\xe1\xbb\x91c\xa7Firefox\xa5Other\xa2tv\xa5other\xa9Chrome OS"
    b"\xaem.facebook.com\xa9l.zalo.me\xacchat.zalo.me\xabyoutube.com\xaatiktok.com\xaayandex.com"
    b"\xa9yahoo.com\xabchatgpt.com\xa8bing.com\xaacoccoc.com\xacfacebook.com\xaagoogle.com"
    b"/default.aspx/index.php/portal/pages/web/guest/page/danh-muc/chuyen-muc/lien-he/tim-kiem"
    b"/thu-tuc-hanh-chinh/lich-cong-tac/du-thao-van-ban/chi-tiet/bai-viet/gioi-thieu/thong-bao"
    b"/van-ban/su-kien/tin-tuc-su-kien/tin-tuc/"
    b"trang-chu.aspx.htm.html.com.vn.edu.vn.gov.vn"
    b"\xa6tablet\xa6Safari\xa5Linux\xa7desktop\xa6Chrome\xa5macOS\xa7desktop\xa6Safari\xa5macOS"
    b"\xa7desktop\xa4Edge\xa7Windows\xa2VN\xa6mobile\xa6Safari\xa3iOS\xa2VN"
    b"\xa7desktop\xa6Chrome\xa7Windows\xa2VN\xa6mobile\xa6Chrome\xa7Android\xa2VN\xa5VN-SG\xa5VN-HN"
    b"\x91\x00\x91\x01\x91\x00\x91\xcd\x91\xcf\x91\x00\x91\x01"
    b"\x91\x02\x91\x02\x91\x03\x91\x04\x91\x05\x91\x06"
    b"\x91\x01\x91\x00\x91\x02\x91\x03\x91\x04\x91\x05\x91\x06\x91\x07\x91\xcf"
    b"\x91\x08\x90\x90\x90\x90\x90\x90\x91\x08\xdc\x00\x17\xcf\x00\x00\x01\x9f\xcf\x00\x00\x01"
)


_DEFLATED = 1
_HEXADECIMAL = 2


class _Short(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The field of the short form. `form` is a sum of the two numbers above.

    A producer id in hexadecimal, as all of ingest's are, takes half as many bytes.
    """

    form: int
    version: int
    hits: int
    producer: bytes
    sequence: int
    payload: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Short).decode
_is_hexadecimal = re.compile("(?:[0-9a-f]{2})+").fullmatch


def long_form(entry: LogEntry) -> Fields:
    """Return names and values of an entry's fields as every version reads them."""
    return (
        *("v", entry.version, "n", entry.hits, "p", entry.producer),
        *("s", entry.sequence, "b", entry.payload),
    )


def short_form(entry: LogEntry) -> Fields:
    """Return name and value of a short entry's only field."""
    form, producer, payload = 0, entry.producer.encode(), entry.payload
    if _is_hexadecimal(entry.producer):
        form, producer = _HEXADECIMAL, bytes.fromhex(entry.producer)
    if entry.hits <= DEFLATED_HITS and len(payload) <= _LONGEST:
        shorter = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zdict=_DICTIONARY)
        deflated = shorter.compress(payload) + shorter.flush()
        if len(deflated) < len(payload):
            form, payload = form | _DEFLATED, deflated
    short = _Short(form, entry.version, entry.hits, producer, entry.sequence, payload)
    return _SHORT.decode(), _encode(short)


def read(fields: Mapping[bytes, bytes]) -> tuple[dict[str, bytes], bytes]:
    """Return headers and payload of an entry in either form.

    Fields of neither form become headers unchanged: the aggregator will miss those it needs.
    """
    field = fields.get(_SHORT)
    if field is not None and (opened := _opened(field)) is not None:
        return opened
    headers = {
        name.decode(errors="backslashreplace"): value
        for name, value in fields.items()
        if name != _PAYLOAD
    }
    return headers, fields.get(_PAYLOAD, b"")


def _opened(field: bytes) -> tuple[dict[str, bytes], bytes] | None:
    try:
        short = _decode(field)
        producer, payload = short.producer, short.payload
        if not 0 <= short.form <= _DEFLATED | _HEXADECIMAL:
            return None
        if short.form & _HEXADECIMAL:
            producer = producer.hex().encode()
        if short.form & _DEFLATED:
            whole = zlib.decompressobj(_WINDOW, zdict=_DICTIONARY)
            payload = whole.decompress(payload, _LONGEST + 1)
            if not whole.eof:
                return None
    except (msgspec.DecodeError, zlib.error):
        return None
    headers = {
        "v": b"%d" % short.version,
        "n": b"%d" % short.hits,
        "p": producer,
        "s": b"%d" % short.sequence,
    }
    return headers, payload
