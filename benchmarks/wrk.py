"""The load of the HTTP benchmarks: wrk, a client in C, with the requests in a file."""

import resource
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.processes import CLIENT_CORE
from tests.require import program

TIMEOUT_SECONDS = 30
"""How late an answer may be; by default, wrk takes one after two seconds for none."""
_SCRIPT = """
local requests, at = {}, 0
function init(arguments)
  local file = io.open(arguments[1], "rb")
  local text = file:read("*a")
  file:close()
  for request in text:gmatch("([^%z]+)%z") do requests[#requests + 1] = request end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\\nRESULT {"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,'
    .. '"p50":%d,"p99":%d,"p999":%d,"highest":%d}\\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max))
end
"""


class Load(msgspec.Struct, frozen=True):
    """What came of a load; latencies in µs.

    refused  answers with a status of 400 or more
    broken   connections that failed or answers that did not come
    cpu      processor time of the client
    """

    requests: int
    microseconds: int
    refused: int
    broken: int
    p50: int
    p99: int
    p999: int
    highest: int
    cpu: float = 0.0

    @property
    def a_second(self) -> float:
        """Requests answered a second."""
        return self.requests * 1e6 / self.microseconds


class LoadError(RuntimeError):
    """A load that measures nothing: the client failed, or requests did."""


def request(
    method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes = b""
) -> bytes:
    """Return a request as it goes over the wire; wrk sends it as it is."""
    head = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join((*head, "", "")).encode() + body


def load(port: int, requests: Sequence[bytes], *, seconds: float, connections: int) -> Load:
    """Send requests round and round over `connections`, each waiting for its answer.

    One thread, on the clients' core. Raises LoadError when any request fails.
    """
    if any(b"\0" in sent for sent in requests):
        raise ValueError("a request holds a zero byte, which separates requests in wrk's file")
    with tempfile.TemporaryDirectory(prefix="luot-benchmark-") as folder:
        script, sent = Path(folder) / "script.lua", Path(folder) / "requests"
        script.write_text(_SCRIPT)
        sent.write_bytes(b"".join(one + b"\0" for one in requests))
        before = _children_cpu()
        done = subprocess.run(
            [
                *(program("taskset"), "--cpu-list", str(CLIENT_CORE)),
                *(program("wrk"), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"),
                *("--timeout", f"{TIMEOUT_SECONDS}s"),
                *("--script", str(script), f"http://127.0.0.1:{port}", str(sent)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        cpu = _children_cpu() - before
    result = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not result:
        raise LoadError(f"wrk failed ({done.returncode}): {done.stdout}{done.stderr}")
    found = msgspec.json.decode(result[0].removeprefix("RESULT "), type=Load)
    if found.refused or found.broken or not found.requests:
        raise LoadError(f"{found.refused} requests refused, {found.broken} broken: {done.stdout}")
    return msgspec.structs.replace(found, cpu=cpu)


def load_all(
    ports: Sequence[int], requests: Sequence[bytes], *, seconds: float, connections: int
) -> list[Load]:
    """Send requests to several servers at once, as `load` does to one."""
    send = partial(load, requests=requests, seconds=seconds, connections=connections)
    with ThreadPoolExecutor(len(ports)) as pool:
        return list(pool.map(send, ports))


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
