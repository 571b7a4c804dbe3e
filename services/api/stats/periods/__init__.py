"""The days that numbers are about: periods, what they are compared with, what is there of them."""
