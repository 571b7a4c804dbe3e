"""User-Agents of people, and what the lists of crawlers make of them."""
