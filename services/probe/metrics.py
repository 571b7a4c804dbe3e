"""The metrics of the probe; every outcome is exported from the start."""

from services import metrics
from services.probe.outcome import Outcome

_probes = metrics.PROBES.create()
PROBES = {outcome: _probes.labels(outcome.value) for outcome in Outcome}
SECONDS = metrics.PROBE_SECONDS.create_late()
LAST_SUCCESS = metrics.PROBE_LAST_SUCCESS.create_late()
