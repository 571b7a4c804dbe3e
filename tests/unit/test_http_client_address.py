"""The client's address behind proxies."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.http.client_address import Addresses

PROXIES = Addresses([ip_network("127.0.0.0/8"), ip_network("::1"), ip_network("10.0.0.0/8")])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9, 10.1.1.1", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("127.0.0.1", '"[2001:db8::7]:80"', "2001:db8::7"),
        ("127.0.0.1", "2001:DB8:0::7", "2001:db8::7"),
        ("::ffff:127.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("", "203.0.113.9", "203.0.113.9"),
        ("", "", ""),
    ],
)
def test_the_client_is_the_rightmost_untrusted_address(
    peer: str, forwarded: str, client: str
) -> None:
    assert PROXIES.client(peer, forwarded) == client


def test_an_untrusted_peer_cannot_name_somebody_else() -> None:
    assert PROXIES.client("203.0.113.9", "198.51.100.1") == "203.0.113.9"


def test_a_client_cannot_put_a_name_in_front_of_what_the_proxy_wrote() -> None:
    assert PROXIES.client("10.0.0.1", "8.8.8.8, 203.0.113.9") == "203.0.113.9"


def test_behind_garbage_nothing_is_believed() -> None:
    assert PROXIES.client("127.0.0.1", "198.51.100.1, unknown, 10.0.0.2") == "10.0.0.2"
    assert PROXIES.client("127.0.0.1", "unknown") == "127.0.0.1"


def test_when_all_are_proxies_the_first_of_them_is_the_client() -> None:
    assert PROXIES.client("127.0.0.1", "10.0.0.9, 10.0.0.1") == "10.0.0.9"


@given(st.text(max_size=60), st.text(max_size=400))
def test_no_header_makes_it_fail(peer: str, forwarded: str) -> None:
    assert isinstance(PROXIES.client(peer, forwarded), str)


PLAIN = st.ip_addresses().map(str) | st.from_regex(r"[0-9.:,\x00 ]{1,18}", fullmatch=True)


@given(PLAIN | st.just(""), st.lists(PLAIN, max_size=3).map(", ".join))
def test_the_fast_way_finds_whom_the_long_way_finds(peer: str, forwarded: str) -> None:
    assert PROXIES.client(peer, forwarded) == PROXIES._client(peer, forwarded)


def test_what_clients_make_up_does_not_stay_in_memory() -> None:
    proxies = Addresses([ip_network("127.0.0.0/8")], cached=10)
    for number in range(100):
        proxies.client("127.0.0.1", f"{number}," * 200 + "2001:db8::7")
    assert proxies._cached.cache_info().currsize == 0
    for number in range(100):
        proxies.client("127.0.0.1", f"2001:db8::{number}")
    assert proxies._cached.cache_info().currsize == 10


@pytest.mark.parametrize(
    ("peer", "forwarded", "reader"),
    [
        # From the server, with nothing in between.
        ("198.51.100.1", "203.0.113.9", "203.0.113.9"),
        ("198.51.100.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        # By a proxy that we trust, which names the server.
        ("127.0.0.1", "203.0.113.9, 198.51.100.1", "203.0.113.9"),
        ("127.0.0.1", "203.0.113.9, 10.0.0.2, 198.51.100.1, 10.0.0.1", "203.0.113.9"),
        ("", "203.0.113.9, 198.51.100.1", "203.0.113.9"),
        # The server itself is no reader.
        ("198.51.100.1", "", ""),
        ("127.0.0.1", "198.51.100.1", ""),
        ("198.51.100.1", "unknown", ""),
    ],
)
def test_a_reader_whom_a_server_vouches_for_stands_before_the_server(
    peer: str, forwarded: str, reader: str
) -> None:
    assert PROXIES.vouched(peer, forwarded) == reader
