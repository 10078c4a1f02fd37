"""One HTML file that shows the trees of results files (`build`), and a server for a file that still grows (`serve`).

`questions` turns a line into what is shown. The page itself is plain JavaScript in `page/`, which `assemble` joins.
"""
