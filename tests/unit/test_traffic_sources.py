"""Who a source is, and by which channel its visitors come."""

import pytest

from services.api.stats.grammar.filters import parse
from services.api.stats.grammar.traffic_sources import Channel, traffic_sources
from services.api.stats.queries.sources import channel, name
from services.http.errors import ApiError
from services.widget import esbuild
from tests import require
from tests.sources import take

MAX_QUERY = 262_144
"""Bytes of a statement that a server parses, in its default settings."""

NAMES = {
    "Google": (
        Channel.SEARCH,
        "google.com google.com.vn images.google.com.vn Google com.google.android.apps.searchlite",
    ),
    "Cốc Cốc": (Channel.SEARCH, "coccoc.com search.coccoc.com com.coccoc.trinhduyet coccoc"),
    "Bing": (Channel.SEARCH, "bing.com cn.bing.com bing"),
    "Facebook": (
        Channel.SOCIAL,
        "m.facebook.com l.facebook.com lm.facebook.com fb vi-vn.facebook.com com.facebook.katana",
    ),
    "Zalo": (Channel.SOCIAL, "zalo.me chat.zalo.me oa.zalo.me h5.zaloapp.com com.zing.zalo zalo"),
    "TikTok": (Channel.VIDEO, "tiktok.com m.tiktok.com vt.tiktok.com com.ss.android.ugc.trill"),
    "YouTube": (Channel.VIDEO, "youtube.com m.youtube.com youtu.be YouTube"),
    "ChatGPT": (Channel.ASSISTANTS, "chatgpt.com chat.openai.com chatgpt com.openai.chatgpt"),
    "Gemini": (Channel.ASSISTANTS, "gemini.google.com"),
    "Gmail": (Channel.EMAIL, "mail.google.com com.google.android.gm"),
    "X (Twitter)": (Channel.SOCIAL, "t.co x.com twitter.com"),
}


@pytest.mark.parametrize("called", NAMES)
def test_every_host_and_campaign_of_a_source_is_called_by_its_name(called: str) -> None:
    expected, sources = NAMES[called]
    for source in sources.split():
        known = traffic_sources().known(source)
        assert (source, known and known.name) == (source, called)
        assert (source, traffic_sources().channel_of(source)) == (source, expected)


def test_what_is_not_listed_keeps_its_name() -> None:
    channels = {
        "": Channel.DIRECT,
        "baomoi.com": Channel.REFERRAL,
        "notfacebook.com": Channel.REFERRAL,
        "facebook.com.evil.example": Channel.REFERRAL,
        "thang-9": Channel.CAMPAIGNS,
        "Newsletter": Channel.EMAIL,
        "googleads.g.doubleclick.net": Channel.CAMPAIGNS,
    }
    assert {source: traffic_sources().channel_of(source) for source in channels} == channels
    for source in ("", "baomoi.com", "notfacebook.com", "thang-9"):
        assert traffic_sources().called(source) == source


def test_a_medium_says_more_than_the_source() -> None:
    for source, medium, expected in (
        ("google", "cpc", Channel.CAMPAIGNS),
        ("google", "organic", Channel.SEARCH),
        ("facebook", "Paid_Social", Channel.CAMPAIGNS),
        ("ban-tin", "email", Channel.EMAIL),
        ("", "to-roi", Channel.CAMPAIGNS),
        ("", "", Channel.DIRECT),
    ):
        assert (source, traffic_sources().channel_of(source, medium)) == (source, expected)


def test_the_list_is_in_lower_case_and_fits_into_a_statement() -> None:
    exact, below, mediums = traffic_sources()
    assert [one for one in (*exact, *mediums) if one != one.lower()] == []
    assert not [host for host in exact if host.startswith("www.")]
    # One begins no other: which of them a host belongs to would be a matter of their order.
    assert not [host for host in below for other in below if host.endswith(f".{other}")]
    # In the longest statement, the channel stands twice as a filter.
    assert len((name() + 2 * channel()).encode()) < MAX_QUERY / 2


def test_filters_that_name_all_sources_many_times_are_refused() -> None:
    parse("visit:source==*")
    with pytest.raises(ApiError) as refused:
        parse("visit:source==*;visit:source!=a*|b*|Google;visit:source==Google")
    assert "expected at most 2000 hosts" in refused.value.errors["filters"]


def test_the_list_is_that_of_the_package() -> None:
    try:
        package = take.package()
    except esbuild.EsbuildError as error:
        require.missing(f"a package of npm ({error})")
    assert take.LISTED.read_text("utf-8") == take.listed(package)
