"""HTTP as all services speak it: server, protocol with limits, ready responses, client address."""
