"""All of Luot in one process, on stores that it brings along: `luot up`."""
