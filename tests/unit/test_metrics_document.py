"""docs/metrics.md is what the catalogue says.

After a change of the catalogue, `python -m tests.unit.test_metrics_document` writes it again.
"""

from pathlib import Path

from services.metrics import CATALOGUE, PROBE, SERVICES
from services.runtime.metric_kinds import CounterSpec, GaugeSpec, HistogramSpec, Spec

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"

_HEAD = """# Metrics

Every metric that Luot serves under `/metrics`, made from `services/metrics.py` by \
`python -m tests.unit.test_metrics_document`. `luot up` serves those of ingest, aggregator and API \
on one port, to this machine only unless `LUOT_OPEN_METRICS` is set. Each service also serves the \
`process_*` and `python_*` metrics of Prometheus's client for Python.

- A metric that is *absent* is not known (yet): there are no zeros in the place of times, and no \
`_created` series.
- `route` is the path as the code has it, such as `/api/counter/{site}`; `other` is every path \
that does not exist. `/healthz`, `/readyz` and `/metrics` are in no metric of requests.
- Several processes of a service serve the same numbers of what they share (the log, the store, \
the sites): take `max by (...)`, or `min` of `luot_log_reach_seconds`, not the sum.
"""
_TITLES = {"ingest": "Ingest", "aggregator": "Aggregator", "api": "API", "probe": "Probe"}
_UNITS = {
    "build_info": "1",
    "drift": "views or visits",
    "fold": "1 or 0",
    "log_up": "1 or 0",
    "reports_mailed": "reports",
    "alerts_mailed": "alerts",
    "sign_ins": "attempts",
    "site_online": "visitors",
    "store_up": "1 or 0",
}
_KINDS = {CounterSpec: "counter", GaugeSpec: "gauge", HistogramSpec: "histogram"}


def page() -> str:
    """Return the page."""
    shared = [spec for spec in CATALOGUE if len(spec.by) > 1]
    parts = [_HEAD, _part("Of several services", shared, with_services=True)]
    for service in (*SERVICES, *PROBE):
        own = [spec for spec in CATALOGUE if spec.by == (service,)]
        parts.append(_part(_TITLES[service], own, with_services=False))
    return "\n".join(parts)


def _part(title: str, specs: list[Spec], *, with_services: bool) -> str:
    columns = ["metric", "type", "labels", "unit", "meaning"]
    rows = [
        [f"`{spec.name}`", _kind(spec), _labels(spec), _unit(spec), spec.help] for spec in specs
    ]
    if with_services:
        columns.insert(4, "served by")
        for row, spec in zip(rows, specs, strict=True):
            row.insert(4, ", ".join(spec.by))
    lines = [columns, ["---"] * len(columns), *rows]
    return f"## {title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _kind(spec: Spec) -> str:
    if isinstance(spec, HistogramSpec):
        return f"histogram: {', '.join(f'{bound:g}' for bound in spec.buckets)}"
    return _KINDS[type(spec)]


def _labels(spec: Spec) -> str:
    return ", ".join(f"`{label}`" for label in spec.labels)


def _unit(spec: Spec) -> str:
    """Return the unit that the name ends with; of a plain number, what is counted."""
    name = spec.name.removeprefix("luot_").removesuffix("_total")
    if name.endswith("_timestamp_seconds"):
        return "seconds since 1970"
    return _UNITS.get(name, name.rpartition("_")[2])


def test_the_page_of_metrics_is_what_the_catalogue_says() -> None:
    told = "it is out of date: run `python -m tests.unit.test_metrics_document`"
    assert PAGE.read_text("utf-8") == page(), told


def test_every_metric_is_on_the_page_once() -> None:
    for spec in CATALOGUE:
        assert page().count(f"| `{spec.name}` |") == 1, spec.name


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
