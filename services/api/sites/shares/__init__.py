"""Share links: reports and numbers that are shown to others without signing in."""
