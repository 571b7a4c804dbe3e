"""What users add to a site: share links and annotations."""
