"""What people add to a site at their desks: share links and annotations."""
