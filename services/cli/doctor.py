"""The command `luot doctor`."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.answer import not_luot
from services.cli.language import said
from services.cli.stores import clear_store_errors, through_api
from services.cli.terminal import fail, note, say

if TYPE_CHECKING:
    from services.doctor.check import Check

app = typer.Typer()

_SIGNS = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "yellow")}


@app.command()
def doctor(
    data: Annotated[Path | None, typer.Option(help="Data folder of `luot up`.")] = None,
    days: Annotated[
        int, typer.Option(min=1, max=400, help="Number of days to recount from raw hits.")
    ] = 3,
    agent: Annotated[
        str | None, typer.Option(help="Only say what this User-Agent is taken for, and why.")
    ] = None,
    page: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Only fetch this page, and say whether it is counted."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the log, the store and the numbers, and say what to do about anything that is wrong.

    Checks the stores at LUOT_REDIS_URL and LUOT_CLICKHOUSE_URL. With --data, or with LUOT_TOKEN and
    no LUOT_CLICKHOUSE_URL, asks the running Luot; with --data and a `luot up` that is stopped,
    checks the stores in that folder. The verdict is recorded in the store, for the metrics. Exit
    code 1: something is wrong.
    """
    if agent is not None:
        _judge(agent, as_json)
        return
    if page is not None:
        from services.cli.doctor_page import examine_page

        checks = examine_page(page)
    else:
        with clear_store_errors():
            checks = asyncio.run(_checks(data, days))
    if as_json:
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode(checks), indent=2))
    else:
        _show(checks)
    from services.doctor import run

    raise typer.Exit(int(run.failures(checks) > 0))


async def _checks(data: Path | None, days: int) -> "list[Check]":
    from services.cli.settings import ImportSettings
    from services.doctor import run
    from services.embedded.stores import open_stores
    from services.settings import StoreSettings

    settings, places = StoreSettings.read(), ImportSettings.read().places(data)
    if through_api(data):
        return await _through_api(data, days)
    async with open_stores(settings, data) as stores:
        checks = await run.examine(stores, settings, days, country_database=places)
        if data is None:
            checks += await run.spool(stores.log)
        # A read-only account can run the checks, but cannot record the verdict.
        if problem := await run.record(stores.store, checks, time.time):
            note(f"the verdict could not be recorded for the metrics: {problem}")
        return checks


async def _through_api(data: Path | None, days: int) -> "list[Check]":
    import httpx
    import msgspec

    from services.cli.settings import ClientSettings
    from services.doctor.check import Check

    client = ClientSettings.of(data)
    token = client.token.get_secret_value() if client.token else ""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with httpx.AsyncClient(base_url=client.url, headers=headers, timeout=300) as http:
            answer = await http.get("/api/admin/doctor", params={"days": days})
    except httpx.HTTPError as error:
        fail(f"{client.url} cannot be reached: {error}; is Luot running there?")
    if not answer.is_success:
        fail(f"{client.url} answers {answer.status_code}: {answer.text[:500]}")
    try:
        checks = msgspec.json.decode(answer.content, type=list[Check])
    except (msgspec.MsgspecError, UnicodeError):
        not_luot(answer, client.url)
    if not checks:  # Luot always checks something.
        not_luot(answer, client.url)
    return checks


def _judge(agent: str, as_json: bool) -> None:
    from services.cli.settings import AgentSettings
    from services.enrich.agents import read_agent
    from services.enrich.bots import Bots
    from services.enrich.operator_patterns import PatternsFile
    from services.settings import SettingsError

    bots = Bots()
    try:
        PatternsFile(AgentSettings.read().bot_patterns, bots.use)
    except SettingsError as error:
        fail(str(error))
    verdict = bots.judge_cut(agent)
    names = read_agent(agent)
    if as_json:
        import msgspec

        result = {**msgspec.to_builtins(verdict), **msgspec.to_builtins(names)}
        typer.echo(msgspec.json.format(msgspec.json.encode(result), indent=2))
        return
    evidence = f" ({verdict.evidence})" if verdict.evidence else ""
    say(f"{'bot' if verdict.bot else 'person'}: {verdict.reason}{evidence}")
    say(f"device {names.device}, browser {names.browser}, system {names.os}")


def _show(checks: "list[Check]") -> None:
    from rich.console import Console
    from rich.text import Text

    from services.doctor import run

    console = Console()
    for check in checks:
        sign, colour = _SIGNS[check.ok]
        line = Text.assemble(
            (sign, colour), f" {said(check.part)}: {said(check.name)}: {said(check.found)}"
        )
        console.print(line, soft_wrap=True)
        if check.advice:
            console.print(Text(f"    → {said(check.advice)}"), soft_wrap=True)
    wrong = run.failures(checks)
    unknown = sum(check.ok is None for check in checks)
    right = len(checks) - wrong - unknown
    say(f"{wrong} wrong, {right} right, {unknown} could not be checked")
