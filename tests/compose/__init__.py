"""docker-compose.yml for real, on a Docker daemon of its own: `make compose-test`."""
