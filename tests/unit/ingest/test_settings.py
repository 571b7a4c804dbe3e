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
    ("name", "value"),
    [
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
