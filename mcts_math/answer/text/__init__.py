"""From an answer's text to one notation: what is marked as final, decoration, habits, words, units."""
