"""The formats of access logs: one file for each way of writing them."""
