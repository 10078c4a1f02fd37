"""Search strategies: generators over a tree, which ask for what they need and call nobody. One is one file: its
options, and a function (tree, expansion, options) -> Search. `methods` is the table of them."""
