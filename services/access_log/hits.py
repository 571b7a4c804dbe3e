"""Turns lines of an access log into hits, in the same way as ingest."""

from enum import StrEnum
from hashlib import blake2b
from http import HTTPStatus

from services.access_log.line import LogLine
from services.access_log.page_filter import NotAPage, not_a_page, path_of
from services.access_log.visits import LogVisits
from services.enrich.agents import MAX_USER_AGENT, read_agent
from services.enrich.bots import Bots
from services.enrich.country import Countries
from services.enrich.urls import read_page, referring_host, source_of
from services.enrich.visitor_hash import SALT_BYTES, hashed_part, visitor_hash
from services.model.downloads import downloads_of
from services.model.hit import OTHER_PATH, Hit, Visit
from services.model.hosts import fold
from services.model.site import Site

_FILES = (NotAPage.DOWNLOAD, NotAPage.FILE)
_KEPT_DAYS = 2
_KEPT_HOSTS = 1024


class LeftOut(StrEnum):
    """Why a line is not counted although it is a page."""

    UNREADABLE = "cannot be read"
    BOT = "bot"
    LATER = "not before --until"
    TIME = "time before 1970 or in the future"
    URL = "no path of a page"
    HOST = "of another host"
    EXCLUDED = "excluded by the site"


class HitReader:
    """Reads lines as hits of one site, one file after another."""

    def __init__(
        self,
        site: Site,
        host: str,
        *,
        countries: Countries,
        bots: Bots,
        max_paths: int,
        now: int,
        until: int = 0,
        only_host: bool = False,
    ) -> None:
        """`now` and `until` are ms since 1970; lines from `until` on are left out.

        `host` is for logs that do not name one. In logs that do, lines of `host` and of the site's
        hosts count, with `only_host` those of `host` only.
        """
        self._site = site
        self._host = host
        self._countries = countries
        self._bots = bots
        self._max_paths = max_paths
        self._now = now
        self._until = until
        self._only_host = only_host
        self._hosts: dict[str, str] = {}
        self.agentless = 0
        self._paths: dict[tuple[str, int], set[str]] = {}
        self._salts: dict[tuple[str, int], bytes] = {}
        self.visits = LogVisits()

    def read(self, line: LogLine, salt: str) -> Hit | LeftOut | NotAPage:
        """Return the hit of a line, or why there is none; `salt` is the import's.

        A download is a hit that is kept separately; see services/model/downloads.py.
        """
        reason = not_a_page(line)
        is_download = reason in _FILES and self._is_download(line)
        if reason is not None and not is_download:
            return reason
        host = self._host if line.host is None else self._counted_host(line.host)
        if not host:
            return LeftOut.HOST
        if line.agent_logged:
            if self._bots.is_bot(line.user_agent):
                return LeftOut.BOT
        else:
            self.agentless += 1
        if self._bots.is_spam(referring_host(line.referrer)):
            return LeftOut.BOT
        if not 0 <= line.at <= self._now:
            return LeftOut.TIME
        if self._until and line.at >= self._until:
            return LeftOut.LATER
        page = read_page(f"https://{host}{path_of(line.target)}")
        if page is None:
            return LeftOut.URL
        site = self._site
        user_agent = line.user_agent[:MAX_USER_AGENT]
        day = site.day_of(line.at)
        path = site.counted_path(page.path, page.query)
        if site.excludes(path):
            return LeftOut.EXCLUDED
        agent = read_agent(user_agent)
        place = self._countries.place(line.address)
        who, visit = 0, Visit.CONTINUES
        if not site.views_only and not is_download:
            who = visitor_hash(self._salt(salt, day), site.slug, line.address, user_agent)
            visit = self.visits.decide((day, hashed_part(line.address), user_agent), line.at)
        kept_as = downloads_of(site.slug) if is_download else site.slug
        admitted = self._admit(kept_as, day, path)
        return Hit(
            site=kept_as,
            path=path if admitted else OTHER_PATH,
            own_path="" if admitted else path,
            at=line.at,
            day=day,
            visitor=who,
            visit=visit,
            host=page.host,
            source=source_of(page, line.referrer, site),
            device=agent.device,
            browser=agent.browser,
            os=agent.os,
            country=place.country,
            region=place.region,
            utm_medium=page.utm.medium,
            utm_campaign=page.utm.campaign,
            utm_content=page.utm.content,
            utm_term=page.utm.term,
            utm_source=page.utm.source,
        )

    def _counted_host(self, logged: str) -> str:
        """Return the canonical name of a host whose pages count here; '' for any other."""
        host = self._hosts.get(logged)
        if host is None:
            if len(self._hosts) >= _KEPT_HOSTS:
                self._hosts.clear()
            host = fold(logged)
            counts = host == self._host or (not self._only_host and self._site.allows(host))
            host = self._hosts[logged] = host if counts else ""
        return host

    def _is_download(self, line: LogLine) -> bool:
        """Tell whether a line is a download that counts; a partial response is not."""
        path = path_of(line.target).partition("?")[0]
        return line.status != HTTPStatus.PARTIAL_CONTENT and self._site.counts_download(path)

    def _admit(self, kept_as: str, day: int, path: str) -> bool:
        """Tell whether a path is within the day's limit of distinct paths, as in ingest."""
        known = self._paths.get((kept_as, day))
        if known is None:
            known = self._paths[kept_as, day] = set()
            for old in [key for key in self._paths if key[1] < day - _KEPT_DAYS]:
                del self._paths[old]
        if path not in known and len(known) < self._max_paths:
            known.add(path)
        return path in known

    def _salt(self, salt: str, day: int) -> bytes:
        """Return the salt of a day; each differs, so that visitors cannot be linked across days."""
        of_day = self._salts.get((salt, day))
        if of_day is None:
            digest = blake2b(b"%d" % day, digest_size=SALT_BYTES, key=salt.encode())
            of_day = self._salts[salt, day] = digest.digest()
        return of_day
