"""Access logs that are imported: their chunks, and how far each is."""
