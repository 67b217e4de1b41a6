"""Networks. Each takes (input, time, cond) and returns a tensor of the input's shape."""
