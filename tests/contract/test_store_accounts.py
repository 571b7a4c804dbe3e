"""Users, tokens and the audit log, on both kinds of store."""

from typing import Any

from services.model.account import Role, Token, User
from services.store.interface import Store
from services.store.records import audit
from services.store.records.accounts import TOKENS, USERS
from services.store.records.audit import AuditEntry

LAN = User(name="lan@mytho.example", password="$argon2id$…", role=Role.OWNER, stamp="a")
MINH = User(name="minh", password="$argon2id$…", role=Role.VIEWER, sites=("mytho",), stamp="b")


async def test_the_newest_version_of_a_user_counts(store: Store) -> None:
    await USERS.save(store, LAN.name, LAN, 5)
    await USERS.save(store, MINH.name, MINH, 3)
    older = User(name=MINH.name, password="x", role=Role.OWNER, stamp="c")
    await USERS.save(store, MINH.name, older, 2)

    assert await USERS.load(store) == ({LAN.name: LAN, "minh": MINH}, 5)


async def test_a_user_that_was_removed_is_gone_and_may_come_back(store: Store) -> None:
    await USERS.save(store, LAN.name, LAN, 1)
    await USERS.remove(store, LAN.name, 2)
    assert await USERS.load(store) == ({}, 2)
    await USERS.save(store, LAN.name, LAN, 3)
    assert await USERS.load(store) == ({LAN.name: LAN}, 3)


async def test_a_user_that_cannot_be_read_is_left_out(store: Store) -> None:
    bodies = {"role": '{"name":"a","password":"","role":"god","stamp":""}', "form": "{"}
    for name, body in bodies.items():
        row: dict[str, list[Any]] = {"name": [name], "version": [1], "deleted": [0]}
        row["body"] = [body]
        await store.insert("users", row)
    await USERS.save(store, LAN.name, LAN, 1)
    assert (await USERS.load(store)).rows == {LAN.name: LAN}


async def test_tokens_are_kept_without_the_token(store: Store) -> None:
    token = Token(id="ab", digest="00ff", role=Role.EDITOR, sites=("*",), expires_at=7)
    await TOKENS.save(store, token.id, token, 1)
    assert (await TOKENS.load(store)).rows == {"ab": token}


def _entry(at: int, name: str, site: str = "", who: str = "lan") -> AuditEntry:
    return AuditEntry(at, name, 0, who, "site.edit", site, site, '{"name":"%s"}', "'\\\n")


async def test_the_audit_log_is_read_back_page_by_page_the_newest_first(store: Store) -> None:
    entries = [_entry(1, "a"), _entry(2, "b"), _entry(2, "c"), _entry(3, "a")]
    for entry in entries:
        await audit.add(store, entry)

    first = await audit.newest(store, 2)
    assert first == [entries[3], entries[2]]
    assert await audit.newest(store, 2, first[-1][:2]) == [entries[1], entries[0]]
    assert await audit.newest(store, 2, (1, "a")) == []


async def test_an_entry_written_twice_is_one_and_may_turn_out_to_have_failed(store: Store) -> None:
    entry = _entry(1, "a")
    await audit.add(store, entry)
    await audit.add(store, entry)
    assert await audit.newest(store, 10) == [entry]
    await audit.add(store, entry._replace(failed=1))
    assert await audit.newest(store, 10) == [entry._replace(failed=1)]


async def test_the_audit_log_is_narrowed_to_sites_and_to_somebody(store: Store) -> None:
    for entry in (_entry(1, "a", "mytho"), _entry(2, "b", "danang", "minh"), _entry(3, "c")):
        await audit.add(store, entry)

    async def ids(**narrowed: object) -> list[str]:
        found = await audit.newest(store, 10, **narrowed)  # type: ignore[arg-type]
        return [entry.id for entry in found]

    assert await ids(sites={"mytho", "danang"}) == ["b", "a"]
    assert await ids(sites={"mytho"}) == ["a"]
    assert await ids(sites=()) == []
    assert await ids(who="minh") == ["b"]
    await audit.add(store, _entry(4, "d")._replace(action="sign_in", subject="lan"))
    assert await ids(action="sign_in") == ["d"]
    assert await ids(action="sign_in", subject="lan", who="lan") == ["d"]
    assert await ids(action="sign_in", subject="minh") == []
