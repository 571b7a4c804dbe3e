"""The colours of values: those of alerts beyond their limits, as the rule files have them."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from dashboards import rules
from dashboards.promql import Comparison, metrics

# What is at most this urgent has this colour.
COLOURS = {"page": "red", "ticket": "orange"}
GOOD = "green"
UNKNOWN = "purple"

SMALL = 1e-6


def thresholds(
    expressions: Sequence[str], alerts: Sequence[str], good: str
) -> build.ThresholdsConfig:
    """Return the limits of alerts as colours: good, and beyond each limit what it calls for.

    Grafana gives a colour from a number upwards.
    """
    names = frozenset(name for each in expressions for name in metrics(each))
    limits = [
        (rules.alert(name).limit(names), COLOURS[rules.alert(name).severity]) for name in alerts
    ]
    if not limits:
        return steps([(None, good)])
    if all(limit.sign in {">", ">="} for limit, _ in limits):
        above = sorted({(_step(limit), colour) for limit, colour in limits})
        return steps([(None, good), *above])
    if all(limit.sign in {"<", "<=", "=="} for limit, _ in limits):
        below = sorted({(_step(limit), colour) for limit, colour in limits})
        colours = [*(colour for _, colour in below), good]
        return steps(list(zip([None, *(number for number, _ in below)], colours, strict=True)))
    raise rules.RulesError(f"limits on both sides are no colours: {', '.join(alerts)}")


def _step(limit: Comparison) -> float:
    """Return the number from which on Grafana's colour is another.

    What is a count or a rate is most of all compared with 0, and 0 itself is good.
    """
    on_the_limit = limit.sign in {"<=", "=="} or (limit.sign == ">" and limit.number == 0)
    return limit.number + (SMALL if on_the_limit else 0)


def steps(colours: Sequence[tuple[float | None, str]]) -> build.ThresholdsConfig:
    """Return a colour from each number upwards; the first has no number."""
    return (
        build.ThresholdsConfig()
        .mode(model.ThresholdsMode.ABSOLUTE)
        .steps([model.Threshold(value=number, color=colour) for number, colour in colours])
    )


def unknown(text: str) -> model.SpecialValueMap:
    """Return the words, and the colour, of no value."""
    return model.SpecialValueMap(
        model.DashboardSpecialValueMapOptions(
            match=model.SpecialValueMatch.NULL_AND_NAN,
            result=model.ValueMappingResult(text=text, color=UNKNOWN),
        )
    )
