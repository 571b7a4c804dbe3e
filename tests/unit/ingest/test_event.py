"""What browsers send, and what is said about what is not an event."""

import pytest

from services.ingest.event import Event, EventError, from_body, from_query

URL = "https://mytho.example/"


def test_short_and_long_names_say_the_same() -> None:
    assert (
        from_body(b'{"n":"pageview","u":"https://mytho.example/","d":"mytho","r":"https://a/"}')
        == from_body(
            b'{"name":"pageview","url":"https://mytho.example/","domain":"mytho",'
            b'"referrer":"https://a/"}'
        )
        == Event("pageview", URL, "mytho", "https://a/")
    )


def test_what_other_scripts_add_is_ignored() -> None:
    body = b'{"n":"pageview","u":"https://mytho.example/","r":null,"t":["x"],"p":{"a":1},"h":1}'
    assert from_body(body) == Event("pageview", URL)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "request"),
        (b"{", "request"),
        (b"null", "request"),
        (b"[]", "request"),
        (b'"pageview"', "request"),
        (b"\xff\xfe{}", "request"),
        (b'{"n":"\xff"}', "request"),
        (b'{"n":"pageview","u":"https://a/\\ud800"}', "request"),
        (b'{"a":' + b"[" * 8000, "request"),
        (b'{"n":1}', "n"),
        (b'{"n":"pageview","u":{}}', "u"),
        (b'{"n":"pageview","u":"https://a/","d":["mytho"]}', "d"),
        (b'{"u":"https://a/"}', "name"),
        (b'{"n":"pageview"}', "url"),
        (b'{"n":"pageview","u":""}', "url"),
    ],
)
def test_the_errors_name_the_field(body: bytes, field: str) -> None:
    with pytest.raises(EventError) as caught:
        from_body(body)
    assert list(caught.value.errors) == [field]
    assert all(caught.value.errors[field])


def test_an_image_is_a_page_view_of_its_referer() -> None:
    assert from_query(b"d=mytho", URL) == Event("pageview", URL, "mytho", origin_only=True)
    assert from_query(b"d=mytho&u=https%3A%2F%2Fb%2F&r=https://c/", URL) == Event(
        "pageview", "https://b/", "mytho", "https://c/"
    )


def test_an_image_without_page_or_referer_is_refused() -> None:
    with pytest.raises(EventError, match="Referer"):
        from_query(b"d=mytho", "")


def test_an_image_with_absurdly_many_fields_is_refused() -> None:
    with pytest.raises(EventError, match="50 fields"):
        from_query(b"&".join([b"a=1"] * 51), URL)
