"""What runs inside the sandbox: standard library only, and nothing of ours outside this folder.

`__main__` starts it by exec. `zygote` is the clean warm parent; `supervisor` and `node` are its forks, one supervisor
and one root node per question, one more node per step. `cell` runs a snippet and says what a model is shown; `confine`,
`seccomp`, `landlock` and `mounts` lock the doors; `kernel` holds the system calls that the standard library lacks.
"""
