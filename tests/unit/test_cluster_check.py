"""What is said of the servers of a cluster before a statement for all of them waits for them."""

from typing import Any

import pytest

from services.store.cluster.check import refuse_unfit
from services.store.cluster.layout import Host, LayoutError, ShardLayout
from services.store.interface import Row, StoreError, StoreUnavailableError

LAYOUT = ShardLayout((1, 1), ((("a", 9000), ("b", 9000)), (("c", 9000), ("d", 9000))))
SHARDS = {"a": 1, "b": 1, "c": 2, "d": 2}


class Servers:
    """What servers answer that are configured well, but for what a test changes."""

    def __init__(self) -> None:
        self.macros = {
            host: {"shard": f"s{shard}", "replica": host} for host, shard in SHARDS.items()
        }
        self.known: dict[str, list[Row]] = {
            host: [(number, 1, int(number == shard)) for number in (1, 2)]
            for host, shard in SHARDS.items()
        }
        self.fails: dict[str, StoreError] = {}

    def ask(self, host: Host, sql: str) -> list[Row]:
        name, _ = host
        if name in self.fails:
            raise self.fails[name]
        if "system.macros" in sql:
            return list(self.macros[name].items())
        return self.known[name] if "system.clusters" in sql else [(1,)]

    def problem(self) -> tuple[type[StoreError], str]:
        with pytest.raises(StoreError) as refused:
            refuse_unfit("luot", LAYOUT, self.ask)
        return type(refused.value), str(refused.value)


def test_servers_that_are_set_up_are_taken() -> None:
    refuse_unfit("luot", LAYOUT, Servers().ask)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"macros": {"b": {}}}, "b:9000 of shard 1 has no macro replica and no shard"),
        (
            {"macros": {"b": {"shard": "s2", "replica": "b"}}},
            "replicas of shard 1 have different macros `shard`: s1, s2; shards 1 and 2 have",
        ),
        (
            {"macros": {"d": {"shard": "s2", "replica": "c"}}},
            "2 replicas of shard 2 have the macro `replica` c",
        ),
        ({"known": {"a": []}}, "a:9000 of shard 1 has no cluster of that name"),
        (
            {"known": {"a": [(1, 1, 1)]}},
            "a:9000 of shard 1 knows shards of the weights (1,), others (1, 1)",
        ),
        ({"known": {"c": [(1, 1, 0), (2, 1, 0)]}}, "c:9000 of shard 2 does not find itself"),
        (
            {"known": {"c": [(1, 1, 1), (2, 1, 0)]}},
            "c:9000 of shard 2 takes itself for one of shard 1",
        ),
        ({"fails": {"c": StoreError("no ZooKeeper is configured")}}, "c:9000 of shard 2: no Zoo"),
    ],
)
def test_a_server_that_is_set_up_otherwise_is_named(
    change: dict[str, dict[str, Any]], said: str
) -> None:
    servers = Servers()
    for name, of_hosts in change.items():
        getattr(servers, name).update(of_hosts)
    kind, why = servers.problem()
    assert kind is LayoutError
    assert f"the cluster 'luot' is not set up: {said}" in why


def test_a_server_that_does_not_answer_may_come_back() -> None:
    servers = Servers()
    servers.fails = {"d": StoreUnavailableError("no connection")}
    kind, why = servers.problem()
    assert kind is StoreUnavailableError
    assert "1 of 4 cannot now" in why
    assert why.endswith("d:9000 of shard 2: no connection")
