"""Reads the rows of a database dump: CREATE TABLE and INSERT; everything else is skipped.

It reads dumps of mysqldump, MariaDB and phpMyAdmin, and SQL Server scripts with data. Nothing is
executed. A dump is read in pieces: only the current piece and one row are in memory.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TextIO

from services.tables.line import LineError, TableRow

PIECE = 256 * 1024
MAX_VALUE = 64 * 1024 * 1024
"""The longest value, in characters: an INSERT has to fit into MySQL's max_allowed_packet, which is
64 MB by default."""
MAX_KEPT = 4096
"""How many characters of a value are kept: the texts of articles are not needed."""

# A word is neither the N of a text nor the beginning of a comment: what is still open at the end of
# a piece matches nothing, so that more is read.
_TOKEN = re.compile(
    r"""(?P<space>\s++)
      | (?P<comment>--[^\n]*+(?:\n|\Z)|\#[^\n]*+(?:\n|\Z)|/\*(?:[^*]|\*(?!/))*+\*/)
      | (?P<string>'(?:[^'\\]++|\\.|'')*+'|"(?:[^"\\]++|\\.|"")*+")
      | (?P<national>[nN]'(?:[^']++|'')*+')
      | (?P<name>`(?:[^`]|``)*+`|\[(?:[^\]]|\]\])*+\])
      | (?P<mark>[(),;.])
      | (?P<word>(?![nN]')(?:[^\s(),;.'"`\[\]/]++|/(?!\*))++
          (?:\.[0-9]++(?:[^\s(),;.'"`\[\]/]++|/(?!\*))*+)?)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "Z": "\x1a"}
_NO_COLUMN = {
    *("primary", "key", "unique", "constraint", "index", "fulltext", "spatial", "foreign", "check")
}


class _Token(NamedTuple):
    kind: str
    text: str
    number: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.lower() in words


class Dump:
    """The rows of a dump, and the columns of its tables as far as they have been read."""

    def __init__(self, text: TextIO) -> None:
        self.columns: dict[str, tuple[str, ...]] = {}
        self.inserted: set[str] = set()
        self._tokens = _tokens(text)
        self._again: _Token | None = None

    def rows(self, wanted: Callable[[str], bool]) -> Iterator[TableRow]:
        """Yield the rows of the wanted tables. Raises LineError."""
        while token := self._take():
            if token.is_word("create"):
                self._create()
            elif token.is_word("insert", "replace"):
                yield from self._insert(token.number, wanted)

    def _take(self) -> _Token | None:
        token, self._again = self._again, None
        return token or next(self._tokens, None)

    def _next(self, begun: int) -> _Token:
        token = self._take()
        if token is None:
            raise LineError(begun, "the statement that begins here has no end; is the file cut?")
        return token

    def _name(self, token: _Token, begun: int) -> tuple[str, _Token]:
        """Return the last part of a name such as `db`.`table`, and the token after the name."""
        while True:
            name = _plain(token)
            token = self._next(begun)
            if (token.kind, token.text) != ("mark", "."):
                return name, token
            token = self._next(begun)

    def _create(self) -> None:
        token = self._take()
        if token is None or not token.is_word("table"):
            self._again = token
            return
        begun = token.number
        token = self._next(begun)
        while token.is_word("if", "not", "exists"):
            token = self._next(begun)
        table, token = self._name(token, begun)
        if token.text != "(":
            return
        columns: list[str] = []
        depth, first = 1, True
        while depth:
            token = self._next(begun)
            if token.kind == "mark":
                depth += {"(": 1, ")": -1}.get(token.text, 0)
                first = depth == 1 and token.text == ","
            elif first:
                if token.kind == "name" or token.text.lower() not in _NO_COLUMN:
                    columns.append(_plain(token).lower())
                first = False
        self.columns[table] = tuple(columns)

    def _insert(self, begun: int, wanted: Callable[[str], bool]) -> Iterator[TableRow]:
        token = self._next(begun)
        while token.is_word("into", "ignore"):
            token = self._next(begun)
        if token.kind not in ("name", "word", "string"):
            return
        table, token = self._name(token, begun)
        columns = self.columns.get(table, ())
        if token.text == "(":
            names, token = self._list(begun, keep=True), self._next(begun)
            columns = self.columns[table] = tuple(name.lower() for name in names)
        if not token.is_word("values"):
            return
        self.inserted.add(table)
        keep = wanted(table)
        if keep and not columns:
            raise LineError(
                begun,
                f"the columns of {table} are not named; expected CREATE TABLE in the dump as well",
            )
        while True:
            token = self._next(begun)
            if token.text != "(":
                raise LineError(
                    token.number, f"{token.text[:40]!r} in the values of {table}; expected ("
                )
            number = token.number
            values = self._list(number, keep)
            if keep:
                if len(values) != len(columns):
                    raise LineError(
                        number,
                        f"{len(values)} values for the {len(columns)} columns of {table}",
                    )
                yield TableRow(table, dict(zip(columns, values, strict=True)), number)
            after = self._take()
            if after is None or (after.kind, after.text) != ("mark", ","):
                self._again = after
                return

    def _list(self, begun: int, keep: bool) -> Sequence[str]:
        """Return the values between commas up to the closing bracket; empty unless `keep`."""
        values: list[str] = []
        value, depth = "", 1
        while True:
            token = self._next(begun)
            if token.kind == "mark":
                depth += {"(": 1, ")": -1}.get(token.text, 0)
                if not depth or (depth == 1 and token.text == ","):
                    if keep:
                        values.append(value)
                    value = ""
                    if not depth:
                        return values
                elif token.text == ";":
                    raise LineError(token.number, "; within the brackets of a row")
            elif keep and not value:
                # For CAST(N'2024-01-03' AS DateTime), the value that is cast.
                value = "" if token.is_word("cast", "null") else _plain(token)


def _plain(token: _Token) -> str:
    """Return the value of a token: a name or text without its quotes, a number as it is."""
    kind, text, _ = token
    if kind == "name":
        return text[1:-1].replace("``", "`").replace("]]", "]")
    if kind == "national":
        return text[2 : MAX_KEPT + 2].removesuffix("'").replace("''", "'")
    if kind == "string":
        quote, text = text[0], text[1:-1][:MAX_KEPT]
        if "\\" in text:
            text = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), text)
        return text.replace(quote * 2, quote)
    return text


def _tokens(text: TextIO) -> Iterator[_Token]:
    piece, at, number = "", 0, 1
    ended, size = False, PIECE
    while True:
        found = _TOKEN.match(piece, at)
        # A token at the end of the piece may continue in the next one.
        if not ended and (found is None or found.end() >= len(piece) - 1):
            if len(piece) - at > MAX_VALUE:
                raise LineError(number, f"a value of more than {MAX_VALUE} characters begins here")
            # A value that does not fit into one piece is read in larger ones.
            size = PIECE if at else min(size * 2, MAX_VALUE)
            more = text.read(size)
            ended = not more
            piece, at = piece[at:] + more, 0
            continue
        if at >= len(piece):
            return
        if found is None:
            raise LineError(number, f"{piece[at : at + 40]!r} begins here and has no end")
        kind, token = found.lastgroup or "", found[0]
        if kind not in ("space", "comment"):
            yield _Token(kind, token, number)
        number += token.count("\n")
        at = found.end()
