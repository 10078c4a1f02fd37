"""Results files -> figures: accuracy, votes, intervals, costs; methods x seeds as experiments, tables and plots.

lines        what evaluation needs of a line of results
accuracy     one file; votes, means and differences over several
trials       attempts within a file: pass@k, Maj@k, what is solved within a budget
grading      compares answers on all cores
intervals    95 % confidence intervals
experiments  methods x seeds -> runs, however a run is performed
comparison   runs -> rows of a table, differences between rows
budgets      accuracy against attempts, tokens and seconds
report       several files as tables for the terminal, or as JSON
table        text tables
plots        pictures (matplotlib, imported when drawn)
"""
