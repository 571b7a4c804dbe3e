"""The block for pages without a script: an image, a page for an iframe, and plain text."""
