"""The visitor hash."""

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
