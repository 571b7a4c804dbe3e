"""Who reads traffic, in turns: where the numbers of a query come from, and its results."""
