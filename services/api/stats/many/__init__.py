"""The numbers of many sites at once, with a few statements for all of them together."""
