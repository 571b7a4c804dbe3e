"""Several servers as one store: shards, their replicas, and which host is used."""
