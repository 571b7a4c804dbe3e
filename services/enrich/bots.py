"""Which User-Agents are not people.

The two kinds of mistakes are not equally bad: a crawler that counts is one view too many, but an
app whose readers do not count is a whole group of people missing. So a list is applied only to the
part that names the program: the phone model is not looked at, and an app with a built-in browser is
a person unless it says otherwise.
"""

import re
from enum import StrEnum
from sys import getsizeof

import msgspec

from services.enrich import crawler_lists
from services.enrich.agents import MAX_USER_AGENT
from services.enrich.operator_patterns import OperatorPatterns
from services.model.bounded_cache import BoundedCache

_VERDICTS_BYTES = 4 << 20
_HEADERS_BYTES = 6 << 20

_LETTER = re.compile(r"[A-Za-z]")

# (Linux; Android 15; CPH2581 Build/AP3A.240617.008; wv): after the version comes the phone model.
_TELEPHONE = re.compile(r"(\(Linux;[^()]*?Android [^;()]*)(?:;(?:[^()]|\([^()]*\))*)?\)")
# Comments of Internet Explorer name what else is installed: Outlook, download managers.
_INTERNET_EXPLORER = re.compile(
    r"Mozilla/[45]\.0 \((?:compatible; MSIE|Windows NT[^()]*Trident)[^()]*\)"
)
_WEB_VIEW = re.compile(r"; wv\)|\((?:iPhone|iPad|iPod)[^)]*\) AppleWebKit/(?!.*\bSafari/)")
_SYSTEM = re.compile(
    r"\b(?:iOS|iPhone|iPad|tvOS|watchOS|Apple ?TV|Android|Darwin|Dalvik|Windows NT|Windows/"
    r"|Mac OS|Macintosh|Tizen|web0s|Smart-?TV|HbbTV|X11)\b",
    re.IGNORECASE,
)

# (compatible; Name/1.0) and nothing more: all browsers but these two name their engine.
_NO_ENGINE = re.compile(r"Mozilla/\d\.\d \(compatible; (?!MSIE|Konqueror)[^)]*\)?\s*$")

# How a program introduces itself to whoever reads the log: Name/1.0 (+https://…), (compatible;
# Name; https://…), or an e-mail address.
_INTRODUCTION = re.compile(
    r"\+\s?(?:https?:|www\.)|[\w.+-]{2,}@[a-z][\w-]*\.[a-z]{2,}|compatible; [^;)]*; ?https?://",
    re.IGNORECASE,
)
_URL = re.compile(r"https?://|\bwww\.\w", re.IGNORECASE)
# Cubot makes phones.
_NAME = re.compile(r"(?<!cu)bots?(?![a-z])|crawl|spider", re.IGNORECASE)
# Tools and libraries that begin with their name, and words that no browser sends.
_LEADING = """
curl wget fetch lwp java php ruby perl python dart deno bun node go-http-client okhttp axios got
undici aiohttp httpx httpie guzzlehttp postmanruntime insomnia symfony k6 ab siege vegeta faraday
mechanize libcurl pycurl check_\\w+ checkmk icinga nagios sensu centreon prtg munin collectd haproxy
keepalived keepaliveclient smokeping monit prometheus blackbox-exporter jmeter locust gatling
wrk solarwinds appdynamics cacti librenms netdata telegraf opennms shinken xymon nrpe instana
elastic-heartbeat grafana kubernetes kubelet envoy traefik ansible captivenetworksupport
bombardier autocannon artillery tsung httperf freshping hyperping dynatrace ruxit loader\\.io
"""
_ANYWHERE = """
python- libwww http_request httpclient http-client node-fetch urllib scrapy headless phantomjs
puppeteer playwright selenium webdriver slimerjs lighthouse slurp scraper fetcher feedparser
feedburner validator checker extractor analyzer transcoder uptime monitoring pingdom archiver
webcopier httrack scanner rss\\x20reader link\\x20?check
health\\x20?-?check healthprobe health\\x20probe internal\\x20dummy\\x20connection load\\x20balancer
synthetics endpoint\\x20monitor network\\x20monitor http\\x20monitor
"""
_TOOLS = (*(rf"^{name}\b" for name in _LEADING.split()), *re.findall(r"\S+", _ANYWHERE))
# One product and nothing else, Name/1.2: monitors, balancers and tools. Phones that sent as little
# have digits in their names.
_ONE_PRODUCT = re.compile(r"[A-Za-z][A-Za-z_-]*(?:\.[A-Za-z]+)*/v?\d[\w.-]*")
_tools = crawler_lists.PatternSet(enumerate(_TOOLS), any_case=True)


class Reason(StrEnum):
    """What decided whether it is a person or a program."""

    DENIED = "denied by the operator"
    ALLOWED = "allowed by the operator"
    EMPTY = "no letter in it"
    INTRODUCTION = "names a page or a person to ask"
    NAME = "calls itself a bot, crawler or spider"
    URL = "holds an address"
    NO_ENGINE = "names no engine of a browser"
    TOOL = "names a tool or library"
    LIST = "on a list of crawlers"
    PRODUCT = "one product, and no system or engine"
    WEB_VIEW = "an application that shows a page"
    APPLICATION = "an application of a known system"
    BROWSER = "nothing says otherwise"


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """Whether a User-Agent is taken for a bot, and why.

    evidence  the text in it, or the pattern, that decided; '' if nothing did
    """

    bot: bool
    reason: Reason
    evidence: str = ""


_lists = crawler_lists.load()


def judge(user_agent: str, lists: crawler_lists.CrawlerLists = _lists) -> Verdict:
    """Classify a User-Agent by the rules alone, without the operator's patterns."""
    if not _LETTER.search(user_agent):
        return Verdict(True, Reason.EMPTY)
    program = _TELEPHONE.sub(r"\1)", user_agent, count=1)
    holds_url = "://" in program or "www." in program.lower()
    if (holds_url or "@" in program) and (match := _INTRODUCTION.search(program)):
        return Verdict(True, Reason.INTRODUCTION, match[0])
    if match := _NAME.search(program):
        return Verdict(True, Reason.NAME, match[0])
    if match := _WEB_VIEW.search(user_agent):
        return Verdict(False, Reason.WEB_VIEW, match[0])
    if not user_agent.startswith("Mozilla/") and (match := _SYSTEM.search(user_agent)):
        return Verdict(False, Reason.APPLICATION, match[0])
    if holds_url and (match := _URL.search(program)):
        return Verdict(True, Reason.URL, match[0])
    if (match := _NO_ENGINE.match(program)) and not _SYSTEM.search(program):
        return Verdict(True, Reason.NO_ENGINE, match[0])
    program = _INTERNET_EXPLORER.sub("", program, count=1)
    tool = _tools.find(program)
    if tool is not None:
        return Verdict(True, Reason.TOOL, _TOOLS[tool])
    if pattern := lists.find(program):
        return Verdict(True, Reason.LIST, f"{pattern.list}: {pattern.regex}")
    if _ONE_PRODUCT.fullmatch(program):
        return Verdict(True, Reason.PRODUCT, program)
    return Verdict(False, Reason.BROWSER)


class Bots:
    """Tells people from programs, and caches the results."""

    def __init__(self) -> None:
        self._operator = OperatorPatterns()
        self.knows_spam = False
        """Whether the operator lists any host of referrer spam."""
        self._verdicts: BoundedCache[str, Verdict] = BoundedCache(
            _VERDICTS_BYTES,
            lambda text, verdict: (
                getsizeof(text) + getsizeof(verdict) + getsizeof(verdict.evidence)
            ),
        )
        self._headers: BoundedCache[bytes, tuple[str, bool]] = BoundedCache(
            _HEADERS_BYTES, lambda header, read: getsizeof(header) + sum(map(getsizeof, read))
        )

    def use(self, operator: OperatorPatterns) -> None:
        """Use new operator patterns from now on."""
        self._operator = operator
        self.knows_spam = bool(operator.referrers)
        self._verdicts.clear()
        self._headers.clear()

    def is_spam(self, referring_host: str) -> bool:
        """Tell whether the operator lists a referring host as referrer spam."""
        return self._operator.is_spam(referring_host)

    def read_sender(self, user_agent: bytes) -> tuple[str, bool]:
        """Return the text of a User-Agent header, truncated, and whether it is a bot's."""
        header = user_agent[:MAX_USER_AGENT]
        read = self._headers.young(header) or self._headers.get(header)
        if read is None:
            text = header.decode("latin-1")
            read = text, self.is_bot(text)
            self._headers.put(header, read)
        return read

    def is_bot(self, user_agent: str) -> bool:
        """Tell whether a User-Agent is a crawler's, a tool's, or nobody's."""
        return self.judge_cut(user_agent).bot

    def judge_cut(self, user_agent: str) -> Verdict:
        """Classify a User-Agent; only its beginning is examined."""
        text = user_agent[:MAX_USER_AGENT]
        verdict = self._verdicts.get(text)
        if verdict is None:
            verdict = self._judge(text)
            self._verdicts.put(text, verdict)
        return verdict

    def _judge(self, user_agent: str) -> Verdict:
        for reason, patterns in (
            (Reason.DENIED, self._operator.deny),
            (Reason.ALLOWED, self._operator.allow),
        ):
            for pattern in patterns:
                if pattern.search(user_agent):
                    return Verdict(reason is Reason.DENIED, reason, pattern.pattern)
        return judge(user_agent)
