"""One HTML file that shows the trees of results files (`build`), and a server for a file that still grows (`serve`)."""
