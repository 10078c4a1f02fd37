"""What runs in the two processes of a judgement: standard library only, and nothing of ours outside this folder.

`examiner` runs the tests and never the judged code; `candidate` runs the judged code and never sees the tests. They
talk over one socket: `peer` carries calls, `values` says how an argument or a result is written down.
"""
