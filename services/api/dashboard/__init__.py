"""The dashboard under /admin: pages made on the server, which need no JavaScript to be read."""
