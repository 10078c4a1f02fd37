"""From one notation to a tree: tokens, one grammar, and the form that is compared."""
