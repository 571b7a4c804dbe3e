"""What people entered and did: sites, accounts, balances, titles and more, a module a table."""
