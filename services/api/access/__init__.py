"""Who is calling, and what they may do: users, tokens, sessions, roles, and the audit log."""
