"""The visitor hash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enrich.visitor_hash import visitor_hash

SALT, OTHER_SALT = b"0123456789abcdef", b"fedcba9876543210"
TRIPLE = st.tuples(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))


def valid(triple: tuple[str, str, str]) -> tuple[str, str, str]:
    site, address, user_agent = (text.encode(errors="replace").decode() for text in triple)
    return site, address, user_agent


@given(TRIPLE)
def test_a_visitor_is_one_number_of_64_bits_and_never_zero(triple: tuple[str, str, str]) -> None:
    number = visitor_hash(SALT, *valid(triple))
    assert 0 < number < 2**64
    assert number == visitor_hash(SALT, *valid(triple))
    assert number != visitor_hash(OTHER_SALT, *valid(triple))


@given(TRIPLE, TRIPLE)
def test_two_visitors_are_two_numbers(one: tuple[str, str, str], two: tuple[str, str, str]) -> None:
    same = valid(one) == valid(two)
    assert (visitor_hash(SALT, *valid(one)) == visitor_hash(SALT, *valid(two))) is same


def test_text_cannot_move_from_one_field_to_the_next() -> None:
    assert visitor_hash(SALT, "a", "bc", "") != visitor_hash(SALT, "ab", "c", "")
    assert visitor_hash(SALT, "a", "", "b") != visitor_hash(SALT, "a", "b", "")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:a1b2:c3d4:e5f6:7788"),
        ("2001:db8:1:2::1", "2001:0DB8:0001:0002::0001"),
        ("fe80::1%eth0", "fe80::2"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_an_ipv6_reader_whose_device_changes_its_address_is_one_visitor(one: str, two: str) -> None:
    assert visitor_hash(SALT, "mytho", one, "a") == visitor_hash(SALT, "mytho", two, "a")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:3::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("::1", "192.0.2.1"),
        ("no:address", "no:addresses"),
    ],
)
def test_two_networks_are_two_visitors(one: str, two: str) -> None:
    assert visitor_hash(SALT, "mytho", one, "a") != visitor_hash(SALT, "mytho", two, "a")
