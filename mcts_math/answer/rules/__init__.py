"""When two trees are equal: a rule for each pair of kinds."""
