"""A request for a page: who may send it, what its address and forms say, and the response."""
