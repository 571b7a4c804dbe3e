"""Where visitors come from: how the list of referrers is taken over from its package."""
