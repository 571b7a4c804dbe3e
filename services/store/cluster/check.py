"""Whether the servers of a cluster can run statements for all of them.

Such a statement waits for every server, for three minutes if one does not run it. So each is
checked first, and problems are reported by server.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby

from services.model.host_list import host_port
from services.store.cluster.layout import Host, LayoutError, ShardLayout
from services.store.interface import Row, StoreError, StoreUnavailableError

Ask = Callable[[Host, str], list[Row]]
"""Runs a statement on one server. Raises StoreError."""

# In version 18.16 a server reports all replicas of its own shard as local.
_KNOWN = (
    "SELECT shard_num, any(shard_weight), max(is_local) FROM system.clusters"
    " WHERE cluster = '{cluster}' GROUP BY shard_num ORDER BY shard_num"
)
_MACROS = "SELECT macro, substitution FROM system.macros WHERE macro IN ('shard', 'replica')"
_ZOOKEEPER = "SELECT count() FROM system.zookeeper WHERE path = '/'"


def refuse_unfit(cluster: str, layout: ShardLayout, ask: Ask) -> None:
    """Check every server; it may have no database yet.

    Raises StoreUnavailableError if some do not answer, LayoutError if some are configured so that
    a statement for the cluster would not reach them, or that they would mix up their rows.
    """
    away: list[str] = []
    wrong: list[str] = []
    macros: list[tuple[int, Host, str, str]] = []
    for shard, servers in enumerate(layout.servers):
        for host in servers:
            try:
                wrong += _misfits(cluster, layout, shard, host, ask)
                named: dict[str, str] = dict(ask(host, _MACROS))
                if lacking := sorted({"shard", "replica"} - named.keys()):
                    wrong.append(f"{_name(shard, host)} has no macro {' and no '.join(lacking)}")
                else:
                    macros.append((shard, host, named["shard"], named["replica"]))
                ask(host, _ZOOKEEPER)
            except StoreUnavailableError as error:
                away.append(f"{_name(shard, host)}: {error}")
            except StoreError as error:
                wrong.append(f"{_name(shard, host)}: {error}")
    wrong += _mixed_up(macros)
    if wrong:
        raise LayoutError(
            f"the cluster {cluster!r} is not set up: {'; '.join(wrong)};"
            " see docs/clickhouse-cluster.md"
        )
    if away:
        raise StoreUnavailableError(
            f"all servers of the cluster {cluster!r} have to make the tables, and"
            f" {len(away)} of {sum(map(len, layout.servers))} cannot now; start them, or take those"
            f" that are gone for good out of remote_servers everywhere: {'; '.join(away)}"
        )


def _misfits(cluster: str, layout: ShardLayout, shard: int, host: Host, ask: Ask) -> Iterator[str]:
    known = ask(host, _KNOWN.format(cluster=cluster))
    if not known:
        yield f"{_name(shard, host)} has no cluster of that name in its remote_servers"
        return
    weights = tuple(weight for _, weight, _ in known)
    if weights != layout.weights:
        yield (
            f"{_name(shard, host)} knows shards of the weights {weights}, others {layout.weights};"
            " remote_servers must be the same everywhere"
        )
    own = [number for number, _, is_local in known if is_local]
    if not own:
        yield (
            f"{_name(shard, host)} does not find itself in remote_servers, so it runs no statement"
            " for the cluster: host and port there must be its own"
        )
    elif shard + 1 not in own:
        yield f"{_name(shard, host)} takes itself for one of shard {own[0]}"


def _mixed_up(macros: list[tuple[int, Host, str, str]]) -> Iterator[str]:
    """Yield what is wrong with the macros that give shards and replicas their paths."""
    of_shards: dict[str, set[int]] = {}
    for number, of_shard in groupby(macros, key=lambda one: one[0]):
        servers = list(of_shard)
        names = sorted({name for _, _, name, _ in servers})
        if len(names) > 1:
            listed = ", ".join(names)
            yield f"replicas of shard {number + 1} have different macros `shard`: {listed}"
        for name in names:
            of_shards.setdefault(name, set()).add(number + 1)
        for name, many in Counter(replica for *_, replica in servers).items():
            if many > 1:
                yield f"{many} replicas of shard {number + 1} have the macro `replica` {name}"
    for name, numbers in of_shards.items():
        if len(numbers) > 1:
            shards = " and ".join(map(str, sorted(numbers)))
            yield f"shards {shards} have the same macro `shard` {name}"


def _name(shard: int, host: Host) -> str:
    return f"{host_port(*host)} of shard {shard + 1}"
