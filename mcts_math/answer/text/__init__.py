"""From an answer's text to one notation: decoration, habits, words, units."""
