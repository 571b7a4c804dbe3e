"""HTTP of all services: server, protocol with limits, prebuilt responses, client address."""
