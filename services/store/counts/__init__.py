"""What was counted: raw hits, counter rows and peaks, and what people took back or gave back."""
