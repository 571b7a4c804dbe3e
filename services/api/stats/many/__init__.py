"""The numbers of many sites at once, by a few statements for all of them together."""
