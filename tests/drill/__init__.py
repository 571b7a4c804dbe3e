"""Each alert fires for real, reaches its receiver, and is resolved."""
