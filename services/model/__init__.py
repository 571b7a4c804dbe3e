"""Plain data of Luot: hits, sites, the site's calendar, positions. No I/O happens here."""
