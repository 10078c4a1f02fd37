"""The tree, and what it is worth: exact and approximate values, sets, matrices, polynomials."""
