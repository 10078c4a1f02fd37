"""Looking at results: one HTML file that shows the trees of results files, and a server that follows a growing file.

`questions` turns a line into what the page shows, `build` packs the lines of finished files into one file, `serve`
answers for a file that still grows. The page itself is in `page/`: plain JavaScript, put together by `assemble`.
"""
