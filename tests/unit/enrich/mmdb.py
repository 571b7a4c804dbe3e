"""Writes a small MMDB file (MaxMind DB file format 2.0, IPv4, 24-bit records)."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path

Value = str | int | Mapping[str, "Value"] | list["Value"]


def _encode(value: Value) -> bytes:
    if isinstance(value, str):
        text = value.encode()
        if len(text) >= 29:
            return bytes([2 << 5 | 29, len(text) - 29]) + text
        return bytes([2 << 5 | len(text)]) + text
    if isinstance(value, int):
        octets = value.to_bytes(4, "big")
        return bytes([6 << 5 | len(octets)]) + octets
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(_encode(item) for item in value)
    pairs = b"".join(_encode(key) + _encode(item) for key, item in value.items())
    return bytes([7 << 5 | len(value)]) + pairs


def write(path: Path, countries: Mapping[str, Value]) -> None:
    """Write a database of network → record."""
    nodes: list[list[int | None]] = [[None, None]]
    leaves: dict[tuple[int, int], int] = {}
    data = b""
    for network, record in countries.items():
        net = IPv4Network(network)
        bits = [int(net.network_address) >> (31 - place) & 1 for place in range(net.prefixlen)]
        node = 0
        for bit in bits[:-1]:
            following = nodes[node][bit]
            if following is None:
                following = nodes[node][bit] = len(nodes)
                nodes.append([None, None])
            node = following
        leaves[node, bits[-1]] = len(data)
        data += _encode(record)
    tree = b""
    for index, children in enumerate(nodes):
        for bit, child in enumerate(children):
            if (index, bit) in leaves:
                child = len(nodes) + 16 + leaves[index, bit]
            tree += (len(nodes) if child is None else child).to_bytes(3, "big")
    metadata: dict[str, Value] = {
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1_700_000_000,
        "database_type": "Test-Country",
        "description": {"en": "made by a test"},
        "ip_version": 4,
        "languages": ["en"],
        "node_count": len(nodes),
        "record_size": 24,
    }
    path.write_bytes(tree + b"\0" * 16 + data + b"\xab\xcd\xefMaxMind.com" + _encode(metadata))
