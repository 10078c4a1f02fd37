"""What runs inside the sandbox: standard library only, and nothing of ours outside this folder.

`__main__` starts it by exec. `zygote` is the clean warm parent; `supervisor` and `state` are its forks, one supervisor
and one empty state per question, one more state per step. `cell` runs a snippet and says what a model is shown;
`chance` gives it random numbers, `files` holds its temporary files; `confine`, `seccomp`, `landlock` and `mounts` lock
the doors; `kernel` has the system calls that the standard library lacks.
"""
