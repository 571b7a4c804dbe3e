"""Grafana's dashboards are what the code writes, sound, and coloured by the alerts' own limits."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import rules, runbook
from dashboards.__main__ import FOLDER, documents, encode
from dashboards.advice import RUNBOOK
from dashboards.board import Row, board
from dashboards.colours import COLOURS
from dashboards.panels import WIDTH, Query, graph, value
from dashboards.promql import Comparison, comparisons, metrics, parse
from dashboards.rules import Alert, RulesError

BOARDS = sorted(FOLDER.glob("*.json"))
OF_DATA = [path for path in BOARDS if path.stem != RUNBOOK]

each_board = pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
each_of_data = pytest.mark.parametrize("path", OF_DATA, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def panels(path: Path) -> list[dict[str, Any]]:
    return [panel for panel in read(path)["panels"] if panel["type"] != "row"]


def links(panel: dict[str, Any]) -> list[str]:
    """Return the alerts whose sections of the runbook a panel links to."""
    return [link["title"].removeprefix("Runbook: ") for link in panel.get("links", [])]


# What is committed


def test_the_dashboards_are_as_the_code_writes_them() -> None:
    committed = {path.name: path.read_text("utf-8") for path in BOARDS}
    written = documents()
    assert set(committed) == set(written), "run make dashboards"
    for name, text in written.items():
        assert committed[name] == text, f"{name} is not as the code has it: run make dashboards"


@each_board
def test_grafana_knows_everything_in_a_dashboard(path: Path) -> None:
    """The SDK is made from Grafana's schemas: it drops what it does not know."""
    register_default_plugins()
    assert encode(Dashboard.from_json(read(path))) == path.read_text("utf-8")


def test_no_two_dashboards_have_one_id_or_title() -> None:
    boards = [read(path) for path in BOARDS]
    assert {board["uid"] for board in boards} == {path.stem for path in BOARDS}
    assert len({board["title"] for board in boards}) == len(boards)


def test_the_links_between_dashboards_lead_somewhere() -> None:
    known = {path.stem for path in BOARDS}
    for path in BOARDS:
        assert set(re.findall(r'"/d/([\w-]+)', path.read_text("utf-8"))) <= known
        assert "luot" in read(path)["tags"], "the list of dashboards shows those with this tag"
    (others,) = read(OF_DATA[0])["links"]
    assert others["type"] == "dashboards"
    assert others["tags"] == ["luot"]


# Panels


@each_board
def test_no_two_panels_have_one_id_or_stand_on_the_same_place(path: Path) -> None:
    everything = read(path)["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    for one, other in itertools.combinations([panel["gridPos"] for panel in everything], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


@each_board
def test_every_line_of_panels_is_as_wide_as_the_page_and_none_is_left_empty(path: Path) -> None:
    places = [panel["gridPos"] for panel in read(path)["panels"]]
    for y in range(max(place["y"] + place["h"] for place in places)):
        across = [place for place in places if place["y"] <= y < place["y"] + place["h"]]
        assert sum(place["w"] for place in across) == WIDTH, f"line {y}"


@each_of_data
def test_every_panel_says_what_it_shows_and_in_which_unit(path: Path) -> None:
    titles = [(panel["title"], panel["gridPos"]["y"]) for panel in panels(path)]
    assert len(set(titles)) == len(titles)
    for panel in panels(path):
        assert panel["title"]
        assert len(panel["description"].split("\n\n")[0]) >= 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@each_of_data
def test_every_query_is_promql_and_every_variable_is_one_of_the_dashboard(path: Path) -> None:
    board = read(path)
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert "datasource" in variables
    used = set()
    for panel in panels(path):
        for target in panel["targets"]:
            parse(target["expr"])
            used |= set(re.findall(r"\$(\w+)", target["expr"].replace('"$1"', "")))
    assert used - {"__rate_interval"} == variables - {"datasource"}


@each_of_data
def test_a_value_that_is_not_known_does_not_look_like_a_good_one(path: Path) -> None:
    for panel in panels(path):
        if panel["type"] in {"stat", "bargauge"}:
            defaults = panel["fieldConfig"]["defaults"]
            (unknown,) = [one for one in defaults["mappings"] if one["type"] == "special"]
            assert unknown["options"]["match"] == "null+nan"
            colours = [step["color"] for step in defaults["thresholds"]["steps"]]
            assert unknown["options"]["result"]["color"] not in colours, panel["title"]


# Limits


def test_a_colour_begins_where_the_alert_does() -> None:
    """The number is read from the rule files once more, by other means than the code's."""
    seen = set()
    for path in OF_DATA:
        for panel in panels(path):
            steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
            coloured = {step["color"] for step in steps} & set(COLOURS.values())
            alerts = [rules.alert(name) for name in links(panel)]
            if not coloured or "ALERTS" in panel["targets"][0]["expr"]:
                continue
            numbers = [round(step["value"], 5) for step in steps if step["value"] is not None]
            for number in numbers:
                assert any(says(alert, number) for alert in alerts), (panel["title"], number)
            for alert in alerts:
                if any(says(alert, number) for number in numbers):
                    assert COLOURS[alert.severity] in coloured, (panel["title"], alert.name)
                    seen.add(alert.name)
    assert len(seen) >= 25, sorted(seen)


def says(alert: Alert, number: float) -> bool:
    """Whether an alert's expression compares with a number, however it writes it."""
    written = re.findall(r"[<>=] *(-?[\d.]+(?: \* [\d.]+)*)", alert.expression)
    products = []
    for text in written:
        product = 1.0
        for factor in text.split(" * "):
            product *= float(factor)
        products.append(round(product, 5))
    return number in products


def test_every_alert_is_on_a_panel() -> None:
    shown = {name for path in OF_DATA for panel in panels(path) for name in links(panel)}
    # It fires always.
    assert set(rules.alerts()) - shown == {"Watchdog"}
    assert shown <= set(rules.alerts())


def test_every_alert_has_its_section_of_the_runbook_behind_its_link() -> None:
    texts = {panel["id"]: panel for panel in panels(FOLDER / f"{RUNBOOK}.json")}
    for path in OF_DATA:
        for panel in panels(path):
            for link in panel.get("links", []):
                number = int(link["url"].partition("?viewPanel=")[2])
                assert texts[number]["title"] == link["title"].removeprefix("Runbook: ")
    for panel in texts.values():
        assert len(panel["options"]["content"]) > 100, panel["title"]
        assert not re.search(r"\]\((?!https?:|/d/luot-)", panel["options"]["content"])


def test_a_limit_above_or_below_becomes_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    def expect(*alerts: tuple[str, str], steps: list[tuple[float | None, str]]) -> None:
        made = {
            str(number): Alert(str(number), expression, severity, "", "", "")
            for number, (expression, severity) in enumerate(alerts)
        }
        monkeypatch.setattr(rules, "alerts", lambda: made)
        built = value("x", "x", "s", Query("a / b"), alerts=list(made)).build()
        assert built.field_config is not None
        limits = built.field_config.defaults.thresholds
        assert limits is not None
        assert [(step.value, step.color) for step in limits.steps] == steps

    expect(
        ("a / (b > 0) > 0.5", "ticket"),
        ("0.9 <= max(a / b)", "page"),
        steps=[(None, "green"), (0.5, "orange"), (0.9, "red")],
    )
    expect(
        ("a / b < 2 * 10", "ticket"),
        ("a / b < 5", "page"),
        steps=[(None, "red"), (5, "orange"), (20, "green")],
    )
    expect(("a == 0", "page"), steps=[(None, "red"), (1e-6, "green")])
    expect(("a > 0 and on () c > 7", "ticket"), steps=[(None, "green"), (1e-6, "orange")])
    with pytest.raises(RulesError, match="both sides"):
        expect(("a > 1", "page"), ("b < 1", "page"), steps=[])
    with pytest.raises(RulesError, match="0 limits for a, b"):
        expect(("c > 1", "page"), steps=[])
    with pytest.raises(RulesError, match="2 limits for a, b"):
        expect(("a > 1 or a > 2", "page"), steps=[])


def test_a_panel_of_an_alert_that_is_not_there_is_refused() -> None:
    with pytest.raises(RulesError, match="NoSuchAlert is no alert of deploy/monitoring/rules"):
        graph("x", "x", "s", Query("a"), alerts=["NoSuchAlert"])


def test_a_line_that_is_too_short_or_too_wide_is_refused() -> None:
    def of(*spans: int) -> Row:
        return Row("row", [value("x", "x", "s", Query("a"), span=span) for span in spans])

    board("uid", "Board", "", [of(12, 12, 24)])
    with pytest.raises(ValueError, match="Board, row: the last line of panels is 20 wide"):
        board("uid", "Board", "", [of(24, 20)])
    with pytest.raises(ValueError, match="Board, row: a line of panels is 28 wide"):
        board("uid", "Board", "", [of(20, 8)])


def test_what_is_read_of_an_expression_is_what_prometheus_would_read() -> None:
    assert metrics('rate(a_total{x="b > 1"}[$__rate_interval]) / sum(b) or c offset 1d') == {
        "a_total",
        "b",
        "c",
    }
    (one,) = comparisons("(time() - max(a)) > bool (26 * 3600)")
    assert one == Comparison(frozenset({"a"}), ">", 93600)
    assert comparisons("a > b") == []
    with pytest.raises(ValueError, match="is no PromQL"):
        metrics("rate(a[5m]")


def test_a_link_of_the_runbook_leads_to_a_panel_or_is_the_name_of_a_page() -> None:
    text = "[doctor](backup.md#doctor) [this](#x) [RFC](https://example.vn/x) [a](#luotlogdown)"
    number = rules.number("LuotLogDown")
    assert runbook.within_grafana(text) == (
        "doctor (docs/backup.md#doctor) this [RFC](https://example.vn/x)"
        f" [a](/d/luot-runbook?viewPanel={number})"
    )


# Provisioning


def shipped(name: str) -> Any:
    return yaml.safe_load((rules.ROOT / "deploy/monitoring" / name).read_text("utf-8"))


def test_grafana_takes_rates_over_ranges_that_fit_how_often_prometheus_scrapes() -> None:
    sources = {
        source["type"]: source
        for source in shipped("grafana/provisioning/datasources/luot.yml")["datasources"]
    }
    assert sources["prometheus"]["isDefault"], "the dashboards choose the default"
    interval = shipped("prometheus.yml")["global"]["scrape_interval"]
    assert sources["prometheus"]["jsonData"]["timeInterval"] == interval
    (alerting,) = shipped("prometheus.yml")["alerting"]["alertmanagers"]
    (address,) = alerting["static_configs"][0]["targets"]
    assert sources["alertmanager"]["url"] == f"http://{address}"


def test_every_job_that_is_asked_for_is_scraped() -> None:
    jobs = {job["job_name"] for job in shipped("prometheus.yml")["scrape_configs"]} | {"luot-up"}
    expressions = [alert.expression for alert in rules.alerts().values()]
    expressions += [
        target["expr"] for path in OF_DATA for panel in panels(path) for target in panel["targets"]
    ]
    for expression in expressions:
        for sign, name in re.findall(r'\bjob(=~?)"([^"$]+)"', expression):
            pattern = name if sign == "=~" else re.escape(name)
            assert any(re.fullmatch(pattern, job) for job in jobs), expression
