"""The e-mails of alerts: what began or is over, with its hours and numbers."""

from email.message import EmailMessage

from services.api.dashboard.requests.page_request import HOME
from services.api.dashboard.texts.language import Language
from services.api.sites.alerts.judging import AlertKind
from services.api.sites.alerts.telling import AlertNotice
from services.model.calendar import to_date
from services.model.display import Lang
from services.model.site import Site
from services.store.records.alerts import AlertEvent


class AlertComposer:
    """Writes e-mails; `public_url` is where browsers reach the dashboard, None if unknown."""

    def __init__(self, public_url: str | None) -> None:
        self._home = f"{public_url.rstrip('/')}{HOME}/sites" if public_url else ""

    def __call__(self, notice: AlertNotice) -> EmailMessage:
        """Return a message, without sender and recipients."""
        t, site, event = Language(Lang(notice.rule.lang)), notice.site, notice.event
        message = EmailMessage()
        message["Auto-Submitted"] = "auto-generated"
        if event is None:
            key, values = "alerts.mail.test", {}
        else:
            key = f"alerts.mail.{event.kind}{'.over' if notice.is_over else ''}"
            values = _values(event, site, t, is_over=notice.is_over)
        # A name may contain line separators, which a header must not.
        message["Subject"] = " ".join(t(key, site=site.name or site.slug, **values).split())
        lines = [t(f"{key}.text", site=site.name or site.slug, **values)]
        if self._home:
            lines += ["", t("alerts.mail.link", url=f"{self._home}/{site.slug}{_days(notice)}")]
            lines += [t("alerts.mail.settings", url=f"{self._home}/{site.slug}/alerts")]
        message.set_content("\n".join(lines) + "\n")
        return message


def _days(notice: AlertNotice) -> str:
    """Return the parameters that show the day of a message on the site's page."""
    event, site = notice.event, notice.site
    if event is None:
        return ""
    at = (event.end_until or event.ended) if notice.is_over else (event.until or event.noticed)
    # An event that ends at midnight belongs to the day before.
    return f"?period=day&date={to_date(site.day_of(at - 1)).isoformat()}"


def hours(since: int, until: int, site: Site, t: Language) -> str:
    """Return a span of time as text, in the site's time zone."""
    first, last = (t.moment(at, site.zone_at(at)) for at in (since, until))
    return t("alerts.hours", first=first, last=last)


def _values(event: AlertEvent, site: Site, t: Language, *, is_over: bool) -> dict[str, str]:
    begun = t.moment(event.since, site.zone_at(event.since))
    if event.kind == AlertKind.SILENT:
        at = event.end_since if is_over else event.until
        return {"since": begun, "at": t.moment(at, site.zone_at(at))}
    if is_over:
        of_end = event.end_since, event.end_until, event.end_seen, event.end_usual
    else:
        of_end = event.since, event.until, event.seen, event.usual
    since, until, seen, usual = of_end
    return {
        "hours": hours(since, until, site, t),
        "views": t.number(seen),
        "usual": t.number(usual),
        "begun": hours(event.since, event.until, site, t),
    }
