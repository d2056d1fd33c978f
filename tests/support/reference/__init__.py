"""Reference networks of the decoder families, built in Python with random weights, for the parity tests."""
