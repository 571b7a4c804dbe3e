"""Reports: the traffic of a period as an office hands it on."""
