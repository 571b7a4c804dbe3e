"""Families of devices, browsers and operating systems, read before the User-Agent is discarded.

Only names from the tables below leave this file: the parser's own may quote the User-Agent.
"""

import re
from functools import cache
from sys import getsizeof

import msgspec
from ua_parser import Domain, Resolver, load_builtins
from ua_parser.regex import Resolver as RegexResolver

from services.model.bounded_cache import BoundedCache

OTHER = "Other"
MAX_USER_AGENT = 512
"""How many characters of a User-Agent are examined."""
_CACHE_BYTES = 4 << 20


class Agent(msgspec.Struct, frozen=True, gc=False):
    """device is one of desktop, mobile, tablet, tv, other."""

    device: str
    browser: str
    os: str


# Apps with a built-in browser, by what they add to the system's User-Agent. The order matters: apps
# of one company name each other.
_IN_APP = {
    "Zalo": r"\bZalo[ /]",
    "Messenger": r"\bFBAN/Messenger|\bFB_IAB/(?:Orca|MESSENGER)|\bMetaIAB Messenger",
    "Threads": r"\bBarcelona \d|\bMetaIAB Threads",
    "Instagram": r"\bInstagram \d|\bMetaIAB Instagram",
    "Facebook": r"\bFB(?:AN|AV|_IAB)/|\bMetaIAB Facebook",
    "TikTok": r"\bmusical_ly|\btrill_|\bTikTok|\bBytedanceWebview",
    "LINE": r"\bLine/\d",
    "Viber": r"\bViber",
    "Telegram": r"\bTelegram-(?:Android|iOS)",
    "WeChat": r"\bMicroMessenger/",
    "KakaoTalk": r"\bKAKAOTALK",
    "X": r"\bTwitter(?:Android| for )",
    "Snapchat": r"\bSnapchat",
    "Pinterest": r"\bPinterest",
    "LinkedIn": r"\bLinkedInApp",
    "Google": r"\bGSA/",
}
_in_app = re.compile(
    "|".join(f"(?P<_{number}>{regex})" for number, regex in enumerate(_IN_APP.values())), re.ASCII
)
_APPLICATIONS = tuple(_IN_APP)


def _application(user_agent: str) -> str | None:
    """Return the app that shows the page; None when it is a browser."""
    names = {int(match.lastgroup[1:]) for match in _in_app.finditer(user_agent) if match.lastgroup}
    return _APPLICATIONS[min(names)] if names else None


_BROWSERS = {
    family: name
    for name, families in {
        "Chrome": "Chrome|Chrome Mobile|Chrome Mobile iOS|Chrome Mobile WebView|Chromium"
        "|Chrome Frame|HeadlessChrome",
        "Safari": "Safari|Mobile Safari|Mobile Safari UI/WKWebView",
        "Firefox": "Firefox|Firefox Mobile|Firefox iOS|Firefox Alpha|Firefox Beta|Iceweasel",
        "Edge": "Edge|Edge Mobile",
        "Cốc Cốc": "Coc Coc",
        "Samsung Internet": "Samsung Internet",
        "Opera": "Opera|Opera Mobile|Opera Mini|Opera GX|Opera Touch|Opera Neon|Opera Coast",
        "Internet Explorer": "IE|IE Mobile|IE Large Screen",
        "Android Browser": "Android",
        "UC Browser": "UC Browser",
        "Mi Browser": "MiuiBrowser",
        "Huawei Browser": "Huawei Browser",
        "Yandex Browser": "Yandex Browser",
        "QQ Browser": "QQ Browser|QQ Browser Mini|QQ Browser Mobile",
        "Whale": "Whale",
        "Brave": "Brave",
        "Vivaldi": "Vivaldi",
        "DuckDuckGo": "DuckDuckGo|DuckDuckGo Mobile",
        "Silk": "Amazon Silk",
        "Vivo Browser": "VivoBrowser",
        "HeyTap Browser": "HeyTapBrowser",
    }.items()
    for family in families.split("|")
}

_SYSTEMS = {
    family: name
    for name, families in {
        "Windows": "Windows",
        "macOS": "Mac OS X|Mac OS",
        "Linux": "Linux|Ubuntu|Debian|Fedora|Red Hat|CentOS|Gentoo|SUSE|Linux Mint|Kubuntu"
        "|Arch Linux|Mageia|Mandriva|Slackware",
        "Android": "Android",
        "iOS": "iOS",
        "Chrome OS": "Chrome OS",
        "HarmonyOS": "HarmonyOS",
        "BSD": "FreeBSD|OpenBSD|NetBSD",
        "Tizen": "Tizen",
        "webOS": "webOS",
        "tvOS": "tvOS|ATV OS X",
        "KaiOS": "KaiOS",
        "Windows Phone": "Windows Phone|Windows Mobile",
        "BlackBerry": "BlackBerry OS|BlackBerry Tablet OS",
    }.items()
    for family in families.split("|")
}

_TV = re.compile(
    r"smart-?_? ?tv|apple ?tv|google ?tv|android tv|hbbtv|bravia|netcast|web0s|roku|crkey|\bAFT"
    r"|\bTV (?:Safari|Store)|viera|aquos",
    re.IGNORECASE,
)
_TABLET = re.compile(r"ipad|tablet|playbook|kindle|silk/", re.IGNORECASE)
_MOBILE = re.compile(
    r"mobi|iphone|ipod|opera mini|midp|symbian|nokia|blackberry|j2me|windows phone", re.IGNORECASE
)
_DESKTOP = frozenset({"Windows", "macOS", "Linux", "Chrome OS", "BSD"})


@cache
def _parser() -> Resolver:
    # The device patterns would take 16 MB of memory; all we need of them is in _device.
    browsers, systems, _ = load_builtins()
    return RegexResolver((browsers, systems, []))


def warm() -> None:
    """Build the parser now rather than at the first hit."""
    read_agent("Mozilla/5.0")


def read_agent(user_agent: str) -> Agent:
    """Return the families that a User-Agent names; only its beginning is examined."""
    user_agent = user_agent[:MAX_USER_AGENT]
    agent = _known.young(user_agent) or _known.get(user_agent)
    if agent is None:
        agent = _read(user_agent)
        _known.put(user_agent, agent)
    return agent


def _read(user_agent: str) -> Agent:
    parsed = _parser()(user_agent, Domain.USER_AGENT | Domain.OS)
    system = OTHER if parsed.os is None else _SYSTEMS.get(parsed.os.family, OTHER)
    browser = OTHER
    if application := _application(user_agent):
        browser = application
    elif parsed.user_agent is not None:
        browser = _BROWSERS.get(parsed.user_agent.family, OTHER)
    return Agent(_device(user_agent, system), browser, system)


# The names are shared with the tables above: an agent has no text of its own.
_known: BoundedCache[str, Agent] = BoundedCache(
    _CACHE_BYTES, lambda user_agent, agent: getsizeof(user_agent) + getsizeof(agent)
)


def cuts_referer(user_agent: str) -> bool:
    """Tell whether a browser sends only the origin of a page to other sites.

    Firefox and WebKit do, whatever the page's policy says; Chromium follows the page's policy.
    """
    webkit = "AppleWebKit/" in user_agent and "Chrome/" not in user_agent
    return webkit or "Gecko/" in user_agent


def _device(user_agent: str, system: str) -> str:
    if _TV.search(user_agent):
        return "tv"
    if _TABLET.search(user_agent):
        return "tablet"
    if _MOBILE.search(user_agent):
        return "mobile"
    if system == "Android":
        # Android's own rule: phones say Mobile, tablets do not.
        return "tablet"
    return "desktop" if system in _DESKTOP else "other"
