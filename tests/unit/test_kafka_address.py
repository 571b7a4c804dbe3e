"""What a URL of a log in Kafka may say, and which settings of a topic are refused."""

import subprocess
import sys

import pytest

from services.ingest.settings import IngestSettings
from services.log.kafka.address import KafkaAddress
from services.log.kafka.safety import HITS, forgetful, lost_markers, slow_to_free, unsafe
from services.log.open import log_of
from services.settings import Settings, SettingsError


def test_a_url_names_brokers_topic_and_credentials() -> None:
    plain = KafkaAddress.parse("kafka://h1,h2:9093,[::1]:9094")
    assert plain.brokers == ("h1:9092", "h2:9093", "[::1]:9094")
    assert (plain.topic, plain.tls, plain.user) == ("hits", False, "")
    assert plain.options()["security_protocol"] == "PLAINTEXT"

    sasl = KafkaAddress.parse("kafkas://luot:h%40sh@h1/portal.hits?mechanism=plain")
    assert (sasl.topic, sasl.user, sasl.password) == ("portal.hits", "luot", "h@sh")
    options = sasl.options()
    assert (options["security_protocol"], options["sasl_mechanism"]) == ("SASL_SSL", "PLAIN")
    assert KafkaAddress.parse("kafka://u:p@h1").mechanism == "SCRAM-SHA-512"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("kafka:///hits", "names no broker"),
        ("kafka://h1:port/hits", "'h1:port' is not a host"),
        ("kafka://h1:70000/hits", "'h1:70000' is not a host"),
        ("kafka://h1/two/topics", "'two/topics' is no topic"),
        ("kafka://h1/hits?acks=0", "'acks' is no option .* expected ca, certificate, key"),
        ("kafka://luot:hush@h1/hits?mechanism=GSSAPI", "mechanism=GSSAPI: expected one of PLAIN"),
        ("kafka://h1/hits?mechanism=PLAIN", "SASL needs a user and a password"),
        ("kafka://hush@h1/hits", "SASL needs a user and a password"),
        ("kafka://luot:hush@h1/hits?ca=/nowhere.pem", "expected kafkas://"),
        ("kafkas://luot:hush@h1/hits?key=/nowhere.pem", "belong together"),
        ("kafkas://luot:hush@h1/hits?ca=/nowhere.pem", "ca=/nowhere.pem: No such file"),
        ("kafkas://h1/hits?certificate=/no.pem&key=/no.key", "certificate=/no.pem, key=/no.key: N"),
        ("https://luot:hush@h1/hits", "LUOT_LOG_URL=.secret.: .*regex"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        log_of(Settings.read({"LUOT_LOG_URL": url}))
    assert "LUOT_LOG_URL" in str(refused.value)
    assert "hush" not in str(refused.value)


def test_the_log_is_in_redis_unless_it_is_said_where() -> None:
    assert IngestSettings.read({"LUOT_REDIS_URL": "redis://r"}).log_at == "redis://r"
    named = IngestSettings.read({"LUOT_REDIS_URL": "redis://r", "LUOT_LOG_URL": "kafka://:hush@k"})
    assert named.log_at == "kafka://:hush@k"
    assert "hush" not in repr(named)


def test_only_the_client_of_the_log_in_use_is_imported() -> None:
    program = (
        "import sys; import services.api.components, services.ingest.intake\n"
        "from services.log.open import open_log; open_log('redis://nowhere')\n"
        "assert 'aiokafka' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


SAFE = {**HITS, "min.insync.replicas": "2"}


@pytest.mark.parametrize(
    ("changed", "replicas", "said"),
    [
        ({}, 3, None),
        ({"max.message.bytes": "99999999"}, 3, None),
        ({"retention.ms": "604800000"}, 3, "retention.ms is 604800000"),
        ({"retention.bytes": "1000"}, 3, "retention.bytes is 1000"),
        ({"cleanup.policy": "compact"}, 3, "cleanup.policy is compact"),
        ({"message.timestamp.type": "CreateTime"}, 3, "message.timestamp.type is CreateTime"),
        ({"unclean.leader.election.enable": "true"}, 3, "election.enable is true"),
        ({"max.message.bytes": "1048588"}, 3, "max.message.bytes is 1048588"),
        ({}, 1, "min.insync.replicas is 2, but there are 1 copies"),
        ({"min.insync.replicas": "1"}, 3, "min.insync.replicas is 1 of 3 copies"),
    ],
)
def test_a_topic_that_would_lose_hits_is_told(
    changed: dict[str, str], replicas: int, said: str | None
) -> None:
    [check] = unsafe("hits", HITS, {**SAFE, **changed}, replicas, brokers=3)
    assert check.ok is (said is None)
    assert said is None or said in check.value
    assert said is None or check.advice


@pytest.mark.parametrize(
    ("copies", "brokers", "said", "advice"),
    [
        (1, 1, "the disk of one broker", "Have three brokers, and three replicas"),
        (1, 3, "the disk of one broker", "Give it three replicas"),
        (2, 2, "hits wait in the spool", "Have three brokers, and three replicas"),
        (2, 3, "hits wait in the spool", "Give it three replicas"),
    ],
)
def test_fewer_than_three_copies_are_said_but_not_refused(
    copies: int, brokers: int, said: str, advice: str
) -> None:
    safe = {**SAFE, "min.insync.replicas": str(copies)}
    [check] = unsafe("hits", HITS, safe, copies, brokers)
    assert check.ok is None
    assert said in check.value
    assert check.advice == advice


@pytest.mark.parametrize(
    ("segment", "said"), [("3600000", 0), ("600000", 0), ("604800000", 1), ("unknown", 0)]
)
def test_a_topic_that_keeps_trimmed_hits_for_long_is_told(segment: str, said: int) -> None:
    checks = slow_to_free("hits", {"segment.ms": segment})
    assert [check.ok for check in checks] == [None] * said
    assert all(f"is {segment}: " in check.value for check in checks)
    assert all(check.advice == "Set segment.ms=3600000" for check in checks)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(None, []), (525_600, []), (525_599, [None]), (7 * 24 * 60, [None]), (10_079, [False])],
)
def test_brokers_that_forget_what_is_committed_are_told(
    minutes: int | None, said: list[bool | None]
) -> None:
    checks = forgetful(minutes)
    assert [check.ok for check in checks] == said
    assert all(f"is {minutes}: " in check.value for check in checks)
    assert all("minutes=525600 on every broker" in check.advice for check in checks)


@pytest.mark.parametrize(("newest", "said"), [(-1, 0), (4, 0), (5, 1), (6, 1)])
def test_brokers_that_lose_ends_of_transactions_are_told(newest: int, said: int) -> None:
    checks = lost_markers(newest)
    assert [check.ok for check in checks] == [None] * said
    assert all("counted twice" in check.value and "4.2" in check.advice for check in checks)
