"""What can be asked: measures, filters, and the names that values and sources have in them."""
