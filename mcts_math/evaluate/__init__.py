"""Results files -> figures: accuracy, votes, intervals, costs; methods x seeds as experiments, tables and plots.

lines, accuracy, trials, budgets    one file: its lines, its accuracy, its attempts within a budget
experiments, comparison             methods x seeds -> runs -> rows of a table, differences between rows
grading, intervals                  compares answers on all cores; 95 % confidence intervals
report, table, plots                tables for the terminal, JSON, pictures
"""
