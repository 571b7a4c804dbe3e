"""Opening balances: single entries of the ledger, and files of many."""
