"""The sources of the browser scripts; `build` makes of them what is served."""
