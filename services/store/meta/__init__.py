"""Facts about the store itself: which log fills it, when it was backed up, its server."""
