"""Search strategies: generators over a tree. They ask for what they need and call nobody.

A strategy is one file: its options, and a function (tree, expansion, options) -> Search. `methods` is the table of
them.
"""
