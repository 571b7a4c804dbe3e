"""Sites: created, edited, given opening balances."""
