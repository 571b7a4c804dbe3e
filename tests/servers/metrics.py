"""What a service serves under /metrics, as Prometheus reads it."""

import subprocess
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.require import program


class Scrape:
    """One answer of /metrics."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = list(text_string_to_metric_families(text))

    @property
    def samples(self) -> list[Sample]:
        return [sample for family in self.families for sample in family.samples]

    def names(self) -> set[str]:
        """Return the metrics of Luot that have samples, by the name in the catalogue."""
        return {
            f"{family.name}_total" if family.type == "counter" else family.name
            for family in self.families
            if family.samples and family.name.startswith("luot_")
        }

    def all(self, name: str, **labels: str) -> list[float]:
        return [sample.value for sample in self.samples if _is(sample, name, labels)]

    def value(self, name: str, **labels: str) -> float:
        [only] = self.all(name, **labels)
        return only

    def labels(self, name: str, label: str) -> set[str]:
        return {sample.labels[label] for sample in self.samples if sample.name == name}


def _is(sample: Sample, name: str, labels: Mapping[str, str]) -> bool:
    return sample.name == name and labels.items() <= sample.labels.items()


def complaints(text: str) -> str:
    """Return what `promtool check metrics` has to say; '' when it is content."""
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return (done.stdout + done.stderr).strip() or ("" if done.returncode == 0 else "it failed")
