"""The pages about people: signing in, one's own account, users, tokens and the audit log."""
