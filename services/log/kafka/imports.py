"""The state of imports in Kafka: a note written in the same transaction as the chunk."""

import secrets
import time
from collections.abc import Mapping, Sequence

import msgspec

from services.log import batch
from services.log.admin import KnownImport, KnownImports, refuse_moved
from services.log.errors import LogError, LogRefusedError
from services.log.import_log import ImportLog, ImportOutcome, ImportProgress
from services.log.import_names import (
    BEHIND_SECONDS,
    SALT_BYTES,
    SALT_SECONDS,
    import_producer,
)
from services.log.interface import REMEMBERED_SECONDS, LogPositions
from services.log.kafka.notes import KafkaNotes, NotesChange, Written
from services.log.kafka.reader import KafkaReader
from services.log.kafka.topic import KafkaTopic
from services.model.partition import partition_of

_IMPORT = "import:"
_SALT = "import-salt:"


class _Import(msgspec.Struct, frozen=True, omit_defaults=True):
    """The note of an import; `until` is when it may be forgotten, seconds since 1970."""

    taken: int = 0
    hits: int = 0
    position: int | None = None
    salt: str = ""
    sealed: bool = False
    until: float | None = None
    partition: int | None = None

    @property
    def progress(self) -> ImportProgress:
        return ImportProgress(self.taken, self.hits, self.position, self.salt)


class _Salt(msgspec.Struct, frozen=True):
    """The salt of the visitors of a site's imports, and until when it is used."""

    salt: str
    until: float


class KafkaImportLog(ImportLog):
    """See ImportLog."""

    def __init__(
        self,
        topic: KafkaTopic,
        notes: KafkaNotes,
        reader: KafkaReader,
        positions: LogPositions,
        partitions: int,
    ) -> None:
        self._topic = topic
        self._notes = notes
        self._reader = reader
        self._positions = positions
        self._partitions = partitions

    async def begin(self, site: str, digest: str) -> ImportProgress:
        """See ImportLog."""
        await self._topic.created()
        await self._refuse_unfit()
        key, shared = _key(site, digest), f"{_SALT}{site}"
        now = time.time()

        def change(notes: Mapping[str, str]) -> NotesChange:
            noted = _salt(notes.get(shared))
            fresh = noted is not None and noted.until > now
            salt = noted.salt if noted is not None and fresh else secrets.token_hex(SALT_BYTES)
            mine = _import(notes.get(key), now) or _Import()
            mine = msgspec.structs.replace(
                mine,
                salt=mine.salt or salt,
                until=None,
                partition=partition_of(site, self._partitions),
            )
            changed: dict[str, str | None] = {
                each: None for each in notes if _is_over(each, notes[each], now)
            }
            changed[key] = _text(mine)
            changed[shared] = _text(_Salt(salt, now + SALT_SECONDS))
            return NotesChange.of(**changed)

        # One scope for all imports of a site: they share a salt.
        await self._notes.change(f"import-{site}", change)
        progress = await self.find(site, digest)
        if progress is None:
            raise LogError(f"what was noted of an import of {site} is gone")
        return progress

    async def find(self, site: str, digest: str) -> ImportProgress | None:
        """See ImportLog."""
        noted = _import((await self._notes.read()).get(_key(site, digest)), time.time())
        return None if noted is None else noted.progress

    async def append(
        self, site: str, digest: str, after: int, upto: int, hits: int, payload: bytes
    ) -> tuple[ImportOutcome, int]:
        """See ImportLog."""
        key, outcome = _key(site, digest), (ImportOutcome.LOST, 0)
        headers = [
            ("v", str(batch.SCHEMA_VERSION).encode()),
            ("n", str(hits).encode()),
            ("p", import_producer(site, digest).encode()),
            ("s", str(upto).encode()),
        ]
        partition = partition_of(site, self._partitions)

        def change(notes: Mapping[str, str]) -> NotesChange | None:
            nonlocal outcome
            noted = _import(notes.get(key), time.time())
            outcome = _outcome(noted, after, upto)
            if noted is None or outcome[0] is not ImportOutcome.APPENDED:
                return None
            before = dict(self._topic.highest)

            def grown(offsets: Sequence[int]) -> dict[str, str | None]:
                self._topic.follow(before, [(partition, offsets[0])])
                return {key: _text(self._grown(noted, upto, hits, base + offsets[0]))}

            return NotesChange(grown, [Written(partition, payload, headers)])

        origin = await self._topic.origin()
        if origin is None:
            return outcome
        base = origin.base
        if partition not in self._topic.highest:
            # Nothing that this process has appended says whether it is still the same topic.
            await self._refuse_unfit()
        await self._notes.change(f"import-{site}", change)
        return outcome

    @staticmethod
    def _grown(noted: _Import, upto: int, hits: int, position: int) -> _Import:
        return msgspec.structs.replace(noted, taken=upto, hits=noted.hits + hits, position=position)

    async def _refuse_unfit(self) -> None:
        """Raise LogError while the log accepts nothing: what ingest has in its spool waits, too."""
        refuse_moved(await self._topic.mark())
        try:
            await self._topic.refuse_if_made_again(self._reader.all_offsets)
        except LogRefusedError as refused:
            raise LogError(str(refused)) from refused

    async def counted(self, site: str, progress: ImportProgress) -> bool:
        """See ImportLog."""
        if progress.position is None:
            return True
        return await self._committed(partition_of(site, self._partitions)) > progress.position

    async def finish(self, site: str, digest: str) -> None:
        """See ImportLog."""
        await self._end(site, digest, sealed=False)

    async def seal(self, site: str, digest: str) -> ImportProgress | None:
        """See ImportLog."""
        await self._end(site, digest, sealed=True)
        return await self.find(site, digest)

    async def _end(self, site: str, digest: str, *, sealed: bool) -> None:
        key, now = _key(site, digest), time.time()

        def change(notes: Mapping[str, str]) -> NotesChange | None:
            noted = _import(notes.get(key), now)
            ended: dict[str, str | None] = {}
            if noted is not None:
                ended[key] = _text(
                    msgspec.structs.replace(
                        noted,
                        salt="",
                        until=now + REMEMBERED_SECONDS,
                        sealed=sealed or noted.sealed,
                    )
                )
            if sealed:
                ended[f"{_SALT}{site}"] = None
            return NotesChange.of(**ended)

        await self._topic.created()
        await self._notes.change(f"import-{site}", change)

    async def known(self) -> KnownImports:
        """Return all imports that have notes. Raises LogError."""
        notes, now = await self._notes.read_all(), time.time()
        imports: list[KnownImport] = []
        salts: dict[str, str] = {}
        for key, value in notes.items():
            if key.startswith(_IMPORT) and (noted := _import(value, now)) is not None:
                imports.append(_known(key.removeprefix(_IMPORT), noted, now))
            elif key.startswith(_SALT) and (salt := _salt(value)) is not None and salt.until > now:
                salts[key.removeprefix(_SALT)] = salt.salt
        return KnownImports(imports, salts)

    async def take(self, known: KnownImports) -> None:
        """Write notes of imports that another log knew. Raises LogError."""
        now = time.time()
        noted: dict[str, str | None] = {
            f"{_IMPORT}{each.key}": _text(_taken(each, now)) for each in known.imports
        }
        for site, salt in known.salts.items():
            noted[f"{_SALT}{site}"] = _text(_Salt(salt, now + SALT_SECONDS))
        if noted:
            await self._notes.change("imports", lambda _: NotesChange.of(**noted))

    async def busy(self, site: str) -> str | None:
        """See ImportLog."""
        partition = partition_of(site, self._partitions)
        at = await self._committed(partition)
        waiting = await self._reader.read({partition: at}, limit=1)
        if partition not in waiting:
            return None
        behind = (await self._reader.now() - waiting[partition][0].time_ms) / 1000
        return f"the aggregator is {behind:.0f} s behind" if behind > BEHIND_SECONDS else None

    async def _committed(self, partition: int) -> int:
        return (await self._positions.committed([partition])).get(partition, 0)


def _key(site: str, digest: str) -> str:
    return f"{_IMPORT}{import_producer(site, digest)}"


def _known(key: str, noted: _Import, now: float) -> KnownImport:
    return KnownImport(
        key=key,
        partition=noted.partition,
        taken=noted.taken,
        hits=noted.hits,
        position=noted.position,
        salt=noted.salt,
        sealed=noted.sealed,
        seconds=None if noted.until is None else max(1, int(noted.until - now)),
    )


def _taken(known: KnownImport, now: float) -> _Import:
    return _Import(
        taken=known.taken,
        hits=known.hits,
        position=known.position,
        salt=known.salt,
        sealed=known.sealed,
        partition=known.partition,
        until=None if known.seconds is None else now + known.seconds,
    )


def _outcome(noted: _Import | None, after: int, upto: int) -> tuple[ImportOutcome, int]:
    if noted is None:
        return ImportOutcome.LOST, 0
    if noted.sealed:
        return ImportOutcome.SEALED, noted.taken
    if noted.taken >= upto:
        return ImportOutcome.REPEATED, noted.taken
    if noted.taken != after:
        return ImportOutcome.OUT_OF_ORDER, noted.taken
    return ImportOutcome.APPENDED, upto


def _is_over(key: str, value: str, now: float) -> bool:
    return key.startswith(_IMPORT) and _import(value, now) is None


def _import(value: str | None, now: float) -> _Import | None:
    """Read the note of an import; None without one, and for one that is over."""
    if value is None:
        return None
    noted = msgspec.json.decode(value, type=_Import)
    return None if noted.until is not None and noted.until < now else noted


def _salt(value: str | None) -> _Salt | None:
    return None if value is None else msgspec.json.decode(value, type=_Salt)


def _text(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
