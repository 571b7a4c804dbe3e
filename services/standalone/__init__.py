"""All of Luot in one process, on embedded stores: `luot up`."""
