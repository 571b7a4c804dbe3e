"""Redis fails over to its replicas while hits are counted."""
