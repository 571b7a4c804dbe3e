"""The routes of the dashboard, and the role that each requires."""

from collections.abc import Callable

from starlette.routing import BaseRoute

from services.api.dashboard.accounts import (
    account_page,
    audit_page,
    outside_pages,
    second_factor_page,
    session_pages,
    tokens_page,
    users_page,
)
from services.api.dashboard.accounts.account_page import ACCOUNT
from services.api.dashboard.accounts.tokens_page import TOKENS
from services.api.dashboard.accounts.users_page import USERS
from services.api.dashboard.management import (
    alerts_page,
    annotations_page,
    balances_file,
    balances_page,
    corrections_page,
    imports_page,
    sharing_page,
    site_form,
    titles_file,
    titles_page,
)
from services.api.dashboard.reports import mail_page, report_page
from services.api.dashboard.requests import assets
from services.api.dashboard.requests.dependencies import Dependencies
from services.api.dashboard.requests.page_request import HOME
from services.api.dashboard.requests.routing import SECOND_FACTOR, SIGN_IN, Pages
from services.api.dashboard.sites import group_form, groups_page, sites_page
from services.api.dashboard.sites.group_form import NEW_GROUP
from services.api.dashboard.sites.groups_page import GROUPS, PUBLIC_GROUPS
from services.api.dashboard.traffic import export, rows_page, shown_pages, site_page
from services.api.dashboard.traffic.shown_pages import PUBLIC
from services.api.sites.shares.routes import REPORT, SHARE
from services.http.measured_route import MeasuredRoute
from services.model.account import Role

SITE = f"{HOME}/sites/{{slug}}"
CORRECTIONS = f"{SITE}/corrections"
BALANCES = f"{SITE}/balances"
REPORT_MAIL = f"{SITE}/report/mail"
UNDO_IMPORT = f"{SITE}/imports/{{digest}}/undo"
NEW_SITE = f"{HOME}/new-site"
GROUP = f"{GROUPS}/{{group}}"
PUBLIC_GROUP = f"{PUBLIC_GROUPS}/{{group}}"
USER = f"{USERS}/{{name}}"


def routes(dependencies: Callable[[], Dependencies]) -> list[BaseRoute]:
    """Return the routes; `dependencies` is called for every request."""
    pages = Pages(dependencies)
    pages.add(SIGN_IN, session_pages.sign_in, None)
    pages.add_door(SIGN_IN, session_pages.begin)
    pages.add(f"{HOME}/sign-out", session_pages.sign_out, None, "POST", enrolling=True)
    pages.add(f"{SIGN_IN}/oidc", outside_pages.begin, None)
    pages.add(f"{SIGN_IN}/oidc/back", outside_pages.back, None)
    pages.add(f"{SIGN_IN}/oidc/leave", outside_pages.leave, None)

    pages.add(HOME, sites_page.sites, Role.VIEWER)
    pages.add(f"{HOME}/sites.{{ending}}", sites_page.file, Role.VIEWER)
    pages.add(GROUPS, groups_page.groups, Role.VIEWER)
    pages.add(NEW_GROUP, group_form.new_group, Role.OWNER)
    pages.add(NEW_GROUP, group_form.create, Role.OWNER, "POST")
    pages.add(GROUP, groups_page.group, Role.VIEWER)
    pages.add(f"{GROUP}/sites.{{ending}}", groups_page.file, Role.VIEWER)
    pages.add(f"{GROUP}/edit", group_form.edit, Role.OWNER)
    pages.add(f"{GROUP}/edit", group_form.change, Role.OWNER, "POST")
    pages.add(f"{GROUP}/remove", group_form.remove, Role.OWNER, "POST")
    pages.add(NEW_SITE, site_form.new_site, Role.OWNER)
    pages.add(NEW_SITE, site_form.create, Role.OWNER, "POST")
    pages.add_readable(SITE, site_page.site)
    pages.add_readable(f"{SITE}/csv/{{panel}}", export.csv)
    pages.add_readable(f"{SITE}/all/{{panel}}", rows_page.rows)
    pages.add_readable(f"{SITE}/all/{{panel}}/csv", rows_page.csv)
    pages.add_readable(f"{SITE}/report", report_page.report)
    pages.add_readable(f"{SITE}/report.xlsx", report_page.xlsx)
    pages.add(f"{GROUP}/report", report_page.report, Role.VIEWER)
    pages.add(f"{GROUP}/report.xlsx", report_page.xlsx, Role.VIEWER)
    for mail in (REPORT_MAIL, f"{GROUP}/report/mail"):
        pages.add(mail, mail_page.schedules, Role.EDITOR)
        pages.add(mail, mail_page.add, Role.EDITOR, "POST")
        pages.add(f"{mail}/test", mail_page.test, Role.OWNER, "POST")
        pages.add(f"{mail}/{{id}}/remove", mail_page.remove, Role.EDITOR, "POST")
    pages.add(f"{SITE}/embed", site_form.embed, Role.VIEWER)
    pages.add(f"{SITE}/settings", site_form.settings, Role.EDITOR)
    pages.add(f"{SITE}/settings", site_form.change, Role.EDITOR, "POST")
    pages.add(CORRECTIONS, corrections_page.corrections, Role.EDITOR)
    pages.add(CORRECTIONS, corrections_page.make, Role.EDITOR, "POST")
    pages.add(f"{CORRECTIONS}/{{id}}/reverse", corrections_page.reverse, Role.EDITOR, "POST")
    pages.add(BALANCES, balances_page.balances, Role.VIEWER)
    pages.add(BALANCES, balances_page.enter, Role.EDITOR, "POST")
    pages.add(f"{BALANCES}/block", balances_page.block, Role.EDITOR)
    pages.add_upload(f"{BALANCES}/file", balances_file.send, Role.EDITOR)
    pages.add(f"{BALANCES}/{{id}}/reverse", balances_page.reverse, Role.EDITOR, "POST")
    pages.add(f"{SITE}/imports", imports_page.imports, Role.VIEWER)
    pages.add(UNDO_IMPORT, imports_page.preview, Role.EDITOR)
    pages.add(UNDO_IMPORT, imports_page.undo, Role.EDITOR, "POST")
    pages.add(f"{SITE}/peak", corrections_page.peak, Role.EDITOR, "POST")
    pages.add(f"{SITE}/hidden", corrections_page.hide, Role.EDITOR, "POST")
    pages.add(f"{SITE}/remove", site_form.remove, Role.OWNER, "POST")
    pages.add(f"{SITE}/notes", annotations_page.annotations, Role.VIEWER)
    pages.add(f"{SITE}/notes", annotations_page.write, Role.EDITOR, "POST")
    pages.add(f"{SITE}/notes/csv", annotations_page.csv, Role.VIEWER)
    pages.add(f"{SITE}/notes/{{id}}/remove", annotations_page.remove, Role.EDITOR, "POST")
    pages.add(f"{SITE}/titles", titles_page.titles, Role.VIEWER)
    pages.add(f"{SITE}/titles", titles_page.write, Role.EDITOR, "POST")
    pages.add(f"{SITE}/titles.csv", titles_file.csv, Role.VIEWER)
    pages.add_upload(f"{SITE}/titles/file", titles_file.send, Role.EDITOR)
    pages.add(f"{SITE}/titles/remove", titles_page.remove, Role.EDITOR, "POST")
    pages.add(f"{SITE}/titles/plan", titles_page.plan, Role.EDITOR, "POST")
    pages.add(f"{SITE}/titles/fetch", titles_page.fetch, Role.EDITOR, "POST")
    pages.add(f"{SITE}/titles/cancel", titles_page.cancel, Role.EDITOR, "POST")
    pages.add(f"{SITE}/alerts", alerts_page.alerts, Role.EDITOR)
    pages.add(f"{SITE}/alerts", alerts_page.change, Role.EDITOR, "POST")
    pages.add(f"{SITE}/alerts/test", alerts_page.test, Role.EDITOR, "POST")
    for of in (SITE, GROUP):
        pages.add(f"{of}/sharing", sharing_page.sharing, Role.EDITOR)
        pages.add(f"{of}/sharing", sharing_page.make, Role.EDITOR, "POST")
        pages.add(f"{of}/sharing/{{id}}/withdraw", sharing_page.withdraw, Role.EDITOR, "POST")
    pages.add(f"{SITE}/sharing/frames", sharing_page.frames, Role.EDITOR, "POST")
    for ending, handler in (("", report_page.report), (".xlsx", report_page.xlsx)):
        shown = f"{SHARE}/{{secret}}{REPORT}{ending}"
        pages.add_shown(shown, handler, shown_pages.shared_report)
    # Before those of sites: a group may be called "online", and no site "groups".
    pages.add_public(PUBLIC_GROUP, groups_page.public_group)
    pages.add_public(f"{PUBLIC_GROUP}/sites.{{ending}}", groups_page.public_file)
    for path, find in (
        (f"{PUBLIC}/{{slug}}", shown_pages.public_site),
        (f"{SHARE}/{{secret}}", shown_pages.shared_site),
    ):
        pages.add_shown(path, site_page.site, find)
        pages.add_shown(f"{path}/csv/{{panel}}", export.csv, find)
        pages.add_shown(f"{path}/all/{{panel}}", rows_page.rows, find)
        pages.add_shown(f"{path}/all/{{panel}}/csv", rows_page.csv, find)
        pages.add_shown(f"{path}/online", shown_pages.online, find)

    pages.add(USERS, users_page.users, Role.OWNER)
    pages.add(USERS, users_page.add, Role.OWNER, "POST")
    pages.add(USER, users_page.user, Role.OWNER)
    pages.add(USER, users_page.edit, Role.OWNER, "POST")
    pages.add(f"{USER}/password", users_page.set_password, Role.OWNER, "POST")
    pages.add(f"{USER}/remove", users_page.remove, Role.OWNER, "POST")
    pages.add(f"{USER}/second-factor/reset", users_page.reset_second_factor, Role.OWNER, "POST")

    pages.add(ACCOUNT, account_page.account, Role.VIEWER)
    pages.add(ACCOUNT, account_page.own_password, Role.VIEWER, "POST")
    pages.add(f"{ACCOUNT}/sessions", account_page.end_others, Role.VIEWER, "POST")
    pages.add(f"{ACCOUNT}/sessions/{{id}}", account_page.end_session, Role.VIEWER, "POST")
    pages.add(SECOND_FACTOR, second_factor_page.show, Role.VIEWER, enrolling=True)
    pages.add(SECOND_FACTOR, second_factor_page.turn_on, Role.VIEWER, "POST", enrolling=True)
    pages.add(f"{SECOND_FACTOR}/off", second_factor_page.turn_off, Role.VIEWER, "POST")
    pages.add(f"{SECOND_FACTOR}/recovery-codes", second_factor_page.renew, Role.VIEWER, "POST")

    pages.add(TOKENS, tokens_page.tokens, Role.OWNER)
    pages.add(TOKENS, tokens_page.add, Role.OWNER, "POST")
    pages.add(f"{TOKENS}/{{id}}/revoke", tokens_page.revoke, Role.OWNER, "POST")
    pages.add(f"{HOME}/audit", audit_page.entries, Role.EDITOR)
    return [MeasuredRoute(assets.PATH, assets.answer), *pages.routes]
