"""The statements about traffic: on raw hits, on visits, and on what was made of past days."""
