"""Hits from pages on a host that is not the site's, shown to its users in the dashboard."""

from services.ingest.drops import DropReason
from services.ingest.noticed import SharedHits
from services.model.site import Site
from services.runtime.clock import Clock
from services.state.recent_hits import HitsOfForeignHosts
from services.state.state import State


class ForeignHosts(SharedHits):
    """Counts them by site. Anybody can send such hits, so operators are not warned of them."""

    def __init__(self, state: State, clock: Clock) -> None:
        super().__init__(HitsOfForeignHosts(state), clock)

    def refuse(self, site: Site) -> DropReason:
        """Count a hit that names a site; return why it is dropped."""
        self._unshared[site.slug] += 1
        return DropReason.FOREIGN_HOST
