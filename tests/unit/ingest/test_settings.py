"""Settings of ingest."""

import pytest

from services.ingest.settings import IngestSettings
from services.settings import SettingsError


def test_the_trusted_proxies_are_a_list_of_networks() -> None:
    settings = IngestSettings.read({"LUOT_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1,::1"})
    assert [str(network) for network in settings.trusted_proxies] == [
        "10.0.0.0/8",
        "192.0.2.1/32",
        "::1/128",
    ]


def test_only_this_machine_is_trusted_by_itself() -> None:
    networks = [str(network) for network in IngestSettings.read({}).trusted_proxies]
    assert networks == ["127.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("LUOT_RATE_BURST", "0600", 600),
        ("LUOT_SPOOL_BYTES", "1_000_000", 1_000_000),
        ("LUOT_GROUP_COMMIT_MS", ".5", 0.5),
        ("LUOT_UNSAFE_EVICTION", "Yes", True),
        ("LUOT_UNSAFE_EVICTION", "0", False),
        ("LUOT_HOST", "1", "1"),
    ],
)
def test_values_may_be_written_as_people_write_them(name: str, value: str, meant: object) -> None:
    settings = IngestSettings.read({name: value})
    assert getattr(settings, name.removeprefix("LUOT_").lower()) == meant


def test_neither_way_of_printing_settings_shows_a_secret() -> None:
    settings = IngestSettings.read({"LUOT_REDIS_URL": "redis://:hush@127.0.0.1"})
    assert "hush" not in f"{settings}{settings!r}{dict(settings.__rich_repr__())}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LUOT_UNSAFE_EVICTION", "perhaps"),
        ("LUOT_GROUP_COMMIT_MS", "inf"),
        ("LUOT_PORT", "8000.5"),
        ("LUOT_TRUSTED_PROXIES", "5.5.5"),
        ("LUOT_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("LUOT_TRUSTED_PROXIES", "proxy.example"),
        ("LUOT_RATE_PER_MINUTE", "0"),
        ("LUOT_GROUP_COMMIT_HITS", "501"),
        ("LUOT_GROUP_COMMIT_MS", "-1"),
        ("LUOT_MAX_PATHS", "many"),
    ],
)
def test_a_bad_value_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        IngestSettings.read({name: value})
    assert name in str(caught.value)
    assert value in str(caught.value)
